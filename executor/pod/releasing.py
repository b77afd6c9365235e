"""How many pods are released at the same time, so that the aftermath of a revocation leaves the CPU to regular pods.

On 2 cores, the 99th percentile of requests for a page of a regular pod was 4 ms, and while 50 revoked pods were
released 44 ms with four of them at a time, 16 ms with two, 7 to 13 ms with one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

PAUSE_S = 0.001
"""Between the pods that one revocation has killed. Without it the executor was busy with 50 of them for 11 ms on end,
and a process that a regular pod had just forked on that CPU waited as long: their common group had used more than its
share of it for those that died.
"""


class Releasing:
    """Two for each of `cpus`, but of those that make room for others no more than keep half of the CPUs busy."""

    def __init__(self, cpus: int | None = None) -> None:
        cpus = cpus or os.cpu_count() or 2
        self._max = 2 * cpus
        self._any = asyncio.Semaphore(self._max)
        self._gently = asyncio.Semaphore(max(1, cpus // 2))
        self._pause_s = PAUSE_S
        self._next_s = 0.0

    async def breath(self) -> None:
        """One after the other, with pauses in which a regular pod gets the CPU."""
        now_s = asyncio.get_running_loop().time()
        begin_s = max(now_s, self._next_s)
        self._next_s = begin_s + self._pause_s
        await asyncio.sleep(begin_s - now_s)

    @asynccontextmanager
    async def turn(self, *, gently: bool) -> AsyncIterator[None]:
        async with AsyncExitStack() as turn:
            for semaphore in (self._gently, self._any) if gently else (self._any,):
                await turn.enter_async_context(semaphore)
            yield

    def hurry(self) -> None:
        """The executor ends: nobody is spared any more."""
        self._pause_s = 0.0
        for _ in range(self._max):
            self._gently.release()
