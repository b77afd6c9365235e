"""The executor as it is, with a witness in its event loop: every 5 ms how late it is, in `lag.txt` in its sandbox.

A line is the time, in seconds since the epoch, and the lateness in milliseconds, without the time in which the loop's
thread was ready to run and got no CPU: that is the machine's load, and no doing of the executor.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import quantiles

from executor.__main__ import main

FILE = "lag.txt"
INTERVAL_S = 0.005
_LINES = 50


class _Policy(asyncio.DefaultEventLoopPolicy):
    """The loop that it makes has the witness from its first turn."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        loop.call_soon(lambda: tasks.append(loop.create_task(_witness())))
        return loop


tasks: list[asyncio.Task[None]] = []


async def _witness() -> None:
    lines, file = list[str](), os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    waits = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    while True:
        begin_s, waited_s = time.perf_counter(), _waited_s(waits)
        await asyncio.sleep(INTERVAL_S)
        late_s = time.perf_counter() - begin_s - INTERVAL_S - (_waited_s(waits) - waited_s)
        lines.append(f"{time.time():.4f} {max(0.0, late_s) * 1e3:.3f}\n")
        if len(lines) >= _LINES:
            os.write(file, "".join(lines).encode())
            lines.clear()


def _waited_s(file: int) -> float:
    """How long this thread waited for a CPU so far (Documentation/scheduler/sched-stats.rst)."""
    return int(os.pread(file, 100, 0).split()[1]) / 1e9


def lags_ms(file: Path, begin_s: float, end_s: float) -> list[float]:
    """What was seen between two times."""
    lines = [line.split() for line in file.read_text().splitlines()]
    return [float(lag) for at, lag in (line for line in lines if len(line) == 2) if begin_s <= float(at) <= end_s]


def p99_ms(lags: list[float]) -> float:
    return quantiles(lags, n=100)[98]


if __name__ == "__main__":
    asyncio.set_event_loop_policy(_Policy())
    sys.exit(main())
