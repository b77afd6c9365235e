"""How many pods are released at the same time, so that the aftermath of a revocation leaves the CPU to regular pods.

On 2 cores, the 99th percentile of requests for a page of a regular pod was 4 ms, and while 50 revoked pods were
released 44 ms with four of them at a time, 16 ms with two, 7 to 13 ms with one.

What waits needs no CPU: a release whose containerd, shim or network plugin does not answer keeps no other one waiting.
It has its turn for HOLD_S at most, and gives it up while it pauses between two tries.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager

PAUSE_S = 0.001
"""Between the pods that one revocation has killed. Without it the executor was busy with 50 of them for 11 ms on end,
and a process that a regular pod had just forked on that CPU waited as long: their common group had used more than its
share of it for those that died.
"""

HOLD_S = 2.0
"""How long one release may keep its turn. The release of a pod takes some 70 ms of work."""
SLOW_MAX = 3
"""Each release that is past its turn halves the time of the next ones, this often at most."""


class Turn:
    """The places of one release that is in its turn. They are returned when it has had them for long."""

    def __init__(self, places: Sequence[asyncio.Semaphore], hold_s: Callable[[], float]) -> None:
        self._places = places
        self._hold_s = hold_s
        self._held = ExitStack()
        self._taking = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self.slow = False
        """Whether it was still at work when its time was over."""

    async def pause(self, delay_s: float) -> None:
        """Sleep without a place, and wait for the next one."""
        self.leave()
        await asyncio.sleep(delay_s)
        await self.take()

    async def take(self) -> None:
        """Wait for a place of each kind. Idempotent."""
        async with self._taking:
            if self._timer is not None:
                return
            with ExitStack() as taken:
                for place in self._places:
                    await place.acquire()
                    taken.callback(place.release)
                self._held = taken.pop_all()
            self._timer = asyncio.get_running_loop().call_later(self._hold_s(), self._time_is_over)

    def leave(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._held.close()

    def _time_is_over(self) -> None:
        self.slow = True
        self.leave()


@asynccontextmanager
async def held(place: asyncio.Semaphore, hold_s: float) -> AsyncIterator[None]:
    """A place that goes to the next one after `hold_s`, for work that may hang and needs no CPU then."""
    turn = Turn((place,), lambda: hold_s)
    try:
        await turn.take()
        yield
    finally:
        turn.leave()


class ReleasePace:
    """Two for each of `cpus`, but of those that make room for others no more than keep half of the CPUs busy."""

    def __init__(self, cpus: int | None = None, *, hold_s: float = HOLD_S) -> None:
        cpus = cpus or os.cpu_count() or 2
        self._max = 2 * cpus
        self._any = asyncio.Semaphore(self._max)
        self._gently = asyncio.Semaphore(max(1, cpus // 2))
        self._hold_s = hold_s
        self._turns: set[Turn] = set()
        self._pause_s = PAUSE_S
        self._next_s = 0.0

    async def pause_between_pods(self) -> None:
        """One after the other, with pauses in which a regular pod gets the CPU."""
        now_s = asyncio.get_running_loop().time()
        begin_s = max(now_s, self._next_s)
        self._next_s = begin_s + self._pause_s
        await asyncio.sleep(begin_s - now_s)

    @asynccontextmanager
    async def turn(self, *, gently: bool) -> AsyncIterator[Turn]:
        """A place for one tear-down. `gently`: regular pods need the CPU more."""
        places = (self._gently, self._any) if gently else (self._any,)
        turn = Turn(places, self._current_hold_s)
        self._turns.add(turn)
        try:
            await turn.take()
            yield turn
        finally:
            turn.leave()
            self._turns.discard(turn)

    def _current_hold_s(self) -> float:
        slow = sum(turn.slow for turn in self._turns)
        return self._hold_s / (1 << min(slow, SLOW_MAX))

    def hurry(self) -> None:
        """The executor ends: no release is delayed any more."""
        self._pause_s = 0.0
        for _ in range(self._max):
            self._gently.release()
