"""The tear-down of one pod that is dead: its containers, then its sandbox. Can be repeated until nothing is left.

A failure of one part does not keep the others: they are released, and what is left is told and returned.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from executor.pod.leaks import Leak, Ledger

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.pod.containers import Containers
    from executor.pod.releasing import Releasing, Turn
    from executor.pod.sandbox import Sandbox


class TearDown:
    """`urgently` is entered while the containers are removed: their shims may need CPU."""

    def __init__(
        self,
        containers: Containers,
        sandbox: Sandbox,
        releasing: Releasing,
        urgently: Callable[[], AbstractContextManager[None]],
        log: Logger,
    ) -> None:
        self._containers = containers
        self._sandbox = sandbox
        self._releasing = releasing
        self._urgently = urgently
        self._log = log
        self._ledger = Ledger(log)
        self._tries = 0

    async def run(self, *, gently: bool) -> tuple[str, ...]:
        """What is left, in words."""
        async with self._releasing.turn(gently=gently) as turn:
            found = await self._release(turn)
        self._tries += 1
        left = self._ledger.tell(found)
        if self._tries > 1 and not left:
            self._log.info("what was left of the pod is removed", code="pod.released")
        return left

    async def _release(self, turn: Turn) -> list[Leak]:
        with self._urgently():
            leaks = await self._containers.remove_all(turn.pause)
        return leaks + await self._sandbox.remove()
