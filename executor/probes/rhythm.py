"""When a probe is due. Times are seconds of one monotonic clock. Pure.

Kubernetes' period is a ticker (pkg/kubelet/prober/worker.go): probes start at multiples of the period, one that takes
longer than its period is followed at once by the next, and what was missed beyond that is dropped. Mesos' interval
begins with the end of the check before (src/checks/checker_process.cpp).

The first probe comes at the end of the initial delay. kubelet looks at its next tick whether the delay is over, and
spreads first probes over a period when it was itself started less than a period ago, because then all of its pods
are probed again. An executor finds no running pods at its start, so its first probes are not spread.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from executor.spec.probes import Probe


def first_at_s(probe: Probe, started_s: float, now_s: float) -> float:
    """`started_s` is the start of the container; before `now_s`, as after a startup probe, nothing can be due."""
    return max(started_s + probe.initial_delay_s, now_s)


def next_at_s(probe: Probe, first_s: float, begun_s: float, ended_s: float) -> float:
    """When the probe is due after one that began at `begun_s` and ended at `ended_s`; `first_s` is when the first was
    due.
    """
    if probe.period_from_end:
        return ended_s + probe.period_s
    ticks = math.floor((begun_s - first_s) / probe.period_s) + 1
    tick_s = first_s + ticks * probe.period_s
    if tick_s <= begun_s:  # the division was rounded
        tick_s += probe.period_s
    return max(tick_s, ended_s)
