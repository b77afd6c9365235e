"""How late the event loop is: a delay of the loop delays every launch, exit and revocation.

A timer that is due every INTERVAL_S, and by how much it comes late. A hold-up of INTERVAL_S and more is never missed.
The scheduler's count of the loop's thread tells why: it ran (a call was long), it waited for a CPU, or it slept in a
call (Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat").
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import Final

from executor.log import get_logger
from executor.metrics import catalog
from executor.metrics.counters import Histogram

log = get_logger(__name__)

INTERVAL_S: Final = 0.1
LATE_S: Final = 1.0
AGAIN_S: Final = 60.0
"""Between two warnings."""


@dataclass(frozen=True)
class ThreadTimes:
    """The times of one thread since its start, in nanoseconds."""

    ran_ns: int = 0
    waited_ns: int = 0
    """For a CPU, while it could have run."""

    def since(self, before: ThreadTimes) -> ThreadTimes:
        """What was added."""
        return ThreadTimes(self.ran_ns - before.ran_ns, self.waited_ns - before.waited_ns)


class LoopLag:
    """`seconds` is what was seen since the start."""

    def __init__(self) -> None:
        self.seconds = Histogram(catalog.LOOP_LAG.buckets)
        self._told_s: float | None = None
        self._file = -1

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # a kernel without CONFIG_SCHED_INFO
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            while True:
                due_s, before = loop.time() + INTERVAL_S, self._times()
                await asyncio.sleep(INTERVAL_S)
                now_s = loop.time()
                self.seen(max(0.0, now_s - due_s), now_s, self._times().since(before))
        finally:
            if self._file >= 0:
                os.close(self._file)

    def _times(self) -> ThreadTimes:
        """The times of the loop's thread; zero where the kernel does not report them."""
        try:
            ran_ns, waited_ns, _ = os.pread(self._file, 128, 0).split()
        except (OSError, ValueError):
            return ThreadTimes()
        return ThreadTimes(int(ran_ns), int(waited_ns))

    def seen(self, late_s: float, now_s: float, times: ThreadTimes = ThreadTimes()) -> None:
        """`times` are those of the loop's thread since the timer was set."""
        self.seconds.observe(late_s)
        if late_s >= LATE_S and (self._told_s is None or now_s - self._told_s >= AGAIN_S):
            self._told_s = now_s
            log.warning(
                "the event loop was held up",
                code="executor.loop_late",
                duration_ms=round(late_s * 1e3, 1),
                cpu_wait_ms=round(times.waited_ns / 1e6, 1),
                cpu_ms=round(times.ran_ns / 1e6, 1),
            )
