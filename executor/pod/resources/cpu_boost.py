"""CPU for what ends, and for what launches: dying processes need some, or they keep the memory that their
successors wait for.

The revocable class and the shims of its pods run on idle CPU (`qos.IDLE_CPU`), so that they disturb no
regular pod. On a node whose CPUs are all in use that is next to nothing: 250 processes took 6 s to die there, and the
shims would take minutes to clean up after them. Where an end takes longer than on a node with some idle time, its
caller asks for urgency, and for as long as one does that group weighs as much as the regular pods together.

Only the group that is waited for: shims do not hasten an end, and while their weight was raised as well, a
process of a regular pod at times waited for 35 ms, for 50 of them had much to catch up with.

A launch asks for its shims at once. They are outside of the Mesos container, which has the weight of a regular group
also while only revocable pods work in it: idle shims get 0.3 % of a CPU beside them. Eight launches beside 20 such pods
took over two minutes. Shims that are asked for weigh `qos.SHIMS_CPU` beside the Mesos container.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cgroups import CgroupError, CgroupNotFound, Limits, qos
from cgroups.cpu import WEIGHT_DEFAULT
from executor.log import get_logger

if TYPE_CHECKING:
    from cgroups import Cgroup

log = get_logger(__name__)

SOON_S = 0.1
"""250 processes die within 0.06 s where there is CPU for it: what takes longer than this to die is given some."""
LATE_S = 1.0
"""The removal of a pod's containers takes some 50 ms; one that takes this long is short of CPU, or waits for a disk."""


class Group(Protocol):
    """What usually has little CPU."""

    @property
    def path(self) -> str:
        """Within its hierarchy, absolute."""

    def apply(self, limits: Limits) -> object:
        """Raises CgroupError."""


class CpuBoost:
    """`group` weighs as much as `other`, or `WEIGHT_DEFAULT` if that is more, while a caller is within `after`; else it
    has its `usual` CPU.
    """

    def __init__(self, group: Group, other: Cgroup, usual: Limits = qos.IDLE_CPU) -> None:
        self._group = group
        self._other = other
        self._usual = usual
        self._asking = 0

    @contextmanager
    def after(self, delay_s: float) -> Iterator[None]:
        """Urgent from `delay_s` on, unless the block has ended by then."""
        asked = False

        def ask() -> None:
            nonlocal asked
            asked = True
            self._asking += 1
            if self._asking == 1:
                self._apply(Limits(cpu_idle=False, cpu_weight=self._weight()))

        timer = asyncio.get_running_loop().call_later(delay_s, ask)
        try:
            yield
        finally:
            timer.cancel()
            if asked:
                self._asking -= 1
                if self._asking == 0:
                    self._apply(self._usual)

    def _weight(self) -> int:
        try:
            return max(WEIGHT_DEFAULT, self._other.cpu_weight() or 0)
        except CgroupError:
            return WEIGHT_DEFAULT

    def _apply(self, limits: Limits) -> None:
        group = self._group
        try:
            group.apply(limits)
        except CgroupNotFound:  # the group is empty
            return
        except CgroupError as error:  # what ends goes on, only slower
            log.warning("could not change a weight", code="cgroup.refused", cgroup=group.path, error=str(error))
