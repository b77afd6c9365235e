"""What tear-downs could not remove, tried again for as long as this executor lives.

A network plugin fails, containerd is away for longer than a tear-down waits, a disk is full: all of that may end, and
until it is over an address, a snapshot or a namespace is missing to others. Every removal can be repeated. The
pauses grow, and after the last one the rest is left to the reaper, after the end of this executor.

Owns one task for each pod of which something is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from executor import exhausted

if TYPE_CHECKING:
    from executor.names import PodId
    from executor.pod.runner import PodRunner

PAUSES_S = (1.0, 5.0, 30.0, 120.0, *(300.0 for _ in range(10)))
"""About an hour together."""


class Retries:
    """`pauses_s` are those before each try."""

    def __init__(self, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._pauses_s = pauses_s
        self._left: set[PodId] = set()  # what is given up stays here, and no pod does
        self._tasks: set[asyncio.Task[None]] = set()
        self._now = asyncio.Event()

    def __len__(self) -> int:
        """Pods of which something is left."""
        return len(self._left)

    def take(self, runner: PodRunner) -> None:
        """A pod that has ended, and not everything of it could be removed."""
        self._left.add(runner.id)
        task = asyncio.create_task(self._release(runner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, timeout_s: float) -> bool:
        """Try once more without a further pause, for this executor ends; whether nothing is left."""
        self._now.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        return not self._left

    async def _release(self, runner: PodRunner) -> None:
        for pause_s in self._pauses_s:
            last = await self._pause(pause_s)
            leaked = await self._remove(runner)
            if not leaked:
                self._left.discard(runner.id)
            if last or not leaked:
                return

    async def _pause(self, pause_s: float) -> bool:
        """Whether this executor ends."""
        try:
            async with asyncio.timeout(pause_s):
                await self._now.wait()
        except TimeoutError:
            return False
        return True

    async def _remove(self, runner: PodRunner) -> Sequence[str]:
        """With its turn as in any tear-down: others do not wait for one that hangs."""
        try:
            return await runner.tear_down.run(gently=True)
        except Exception as error:  # noqa: BLE001 - the boundary of a pod, as in its runner
            return [str(exhausted.of_pod(runner.log, error))]
