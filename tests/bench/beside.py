"""Launches beside revocable pods that work without a pause, over the same launches on the node without them, and what
the clients of a regular pod notice of them.

In each turn revocable pods are launched, and regular ones, first on the node as it is and then beside the working
pods. A client's requests count that were under way during a launch; those of all turns are counted together.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.bench import Harness, until
from tests.bench.figures import REQUESTS_FOR_P99, Figure, Report, Target, p99, quotient
from tests.bench.quiet import SERVER, SETTLE_S
from tests.support.load import Load

WORKER = ("sh", "-c", "trap 'while :; do :; done' USR1; sleep 100000 & while :; do wait; done")
"""It begins to work at a signal."""
LONGEST, P99 = 3.0, 1.2
"""At most so many times that of the launches without working pods."""
CLASSES = {"regular": False, "revocable": True}
REQUESTS = "p99_of_a_file_as_pods_start_beside_working_pods"


@dataclass(frozen=True)
class Size:
    working: int
    launched: int
    turns: int


QUICK, FULL = Size(20, 10, 1), Size(50, 20, 4)


@dataclass
class Samples:
    launches: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in CLASSES})
    """Milliseconds, by class."""
    windows: list[tuple[float, float]] = field(default_factory=list)
    """Seconds of CLOCK_MONOTONIC: when each launch began and ended."""

    def requests(self, load: Load) -> list[float]:
        return [each for window in self.windows for each in load.latencies_ms(*window)]


async def measure(harness: Harness, size: Size, tell: Callable[[str], None]) -> Report:
    """Everything that was launched has ended afterwards."""
    web = await harness.up(1, command=SERVER)
    alone, beside = Samples(), Samples()
    with Load(web[0].sandbox.ips[0], 8080, "/", clients=4, interval_s=0.0025) as load:
        for _ in range(size.turns):
            await _launch(harness, size.launched, alone)
            working = await harness.up(size.working, revocable=True, command=WORKER)
            for pid in (pid for runner in working for pid in runner.first_pids()):
                os.kill(pid, signal.SIGUSR1)
            await _launch(harness, size.launched, beside)
            await harness.revoke()
            await until(lambda: len(harness.pods) == len(web))
    await harness.down(web)
    if load.failures:
        raise RuntimeError(f"requests failed: {load.failures[:5]}")
    report = Report()
    _judge_launches(report, alone, beside, size)
    _judge_requests(report, alone.requests(load), beside.requests(load), size)
    for name, figure in report.figures.items():
        tell(f"{name}: {figure}")
    return report


async def _launch(harness: Harness, count: int, samples: Samples) -> None:
    for kind, revocable in CLASSES.items():
        await asyncio.sleep(SETTLE_S)
        begin = time.monotonic()
        runners = await harness.up(count, revocable=revocable)
        end = time.monotonic()
        samples.launches[kind].append((end - begin) * 1e3)
        samples.windows.append((begin, end))
        await harness.down(runners)


def _judge_launches(report: Report, alone: Samples, beside: Samples, size: Size) -> None:
    for kind in CLASSES:
        subject = f"launch of {size.launched} {kind} pods"
        without, among = Figure.of(alone.launches[kind]), Figure.of(beside.launches[kind])
        report.figures |= {f"{subject}, ms": without, f"{subject} beside {size.working} working pods, ms": among}
        report.targets[f"launch_{kind}_beside_working_pods"] = Target(among.over(without), LONGEST)


def _judge_requests(report: Report, alone: list[float], beside: list[float], size: Size) -> None:
    without, among = p99(alone), p99(beside)
    if without is None or among is None:
        reason = f"{min(len(alone), len(beside))} requests in the window, and {REQUESTS_FOR_P99} are needed"
        report.skip({REQUESTS: P99}, reason)
        return
    subject = "p99 of a file while pods start"
    report.figures |= {f"{subject}, ms": without, f"{subject} beside {size.working} working pods, ms": among}
    report.targets[REQUESTS] = Target(quotient(among, without), P99)
