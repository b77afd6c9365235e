"""How many pods are released at the same time, so that the aftermath of a revocation leaves the CPU to regular pods.

With 50 pods at once on 2 cores, the requests to a regular pod took 100 to 250 ms while these were released; four at a
time, a busy server took four times as long for its slowest requests as without; one at a time, twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


class Releasing:
    """Two for each of `cpus`, but of those that make room for others no more than keep half of the CPUs busy."""

    def __init__(self, cpus: int | None = None) -> None:
        cpus = cpus or os.cpu_count() or 2
        self._max = 2 * cpus
        self._any = asyncio.Semaphore(self._max)
        self._gently = asyncio.Semaphore(max(1, cpus // 2))

    @asynccontextmanager
    async def turn(self, *, gently: bool) -> AsyncIterator[None]:
        async with AsyncExitStack() as turn:
            for semaphore in (self._gently, self._any) if gently else (self._any,):
                await turn.enter_async_context(semaphore)
            yield

    def hurry(self) -> None:
        """The executor ends: nobody is spared any more."""
        for _ in range(self._max):
            self._gently.release()
