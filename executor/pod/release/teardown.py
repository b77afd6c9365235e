"""The tear-down of one pod that is dead: its containers, its network, then its cgroup and files. Can be repeated until
nothing is left.

A part that fails or hangs does not keep the others: they are released, and what is left is logged and returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from executor.pod.release.leaks import Leak, Leaks

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.pod.container.containers import Containers
    from executor.pod.release.pace import ReleasePace, Turn
    from executor.pod.sandbox import Sandbox

ALONE_S = 1.0
"""The removal of the containers takes some 50 ms. The network does not wait longer for it: the pod is dead."""


class TearDown:
    """`urgently` is entered while the containers are removed: their shims may need CPU. `network_released` is called
    when the network is, each time.
    """

    def __init__(
        self,
        containers: Containers,
        sandbox: Sandbox,
        release_pace: ReleasePace,
        urgently: Callable[[], AbstractContextManager[None]],
        network_released: Callable[[], None],
        log: Logger,
    ) -> None:
        self._containers = containers
        self._sandbox = sandbox
        self._releasing = release_pace
        self._urgently = urgently
        self._network_released = network_released
        self._log = log
        self._leaks = Leaks(log)
        self._tries = 0

    async def run(self, *, gently: bool, over_disk: bool = False) -> tuple[str, ...]:
        """What is left, in words. The files of a pod that is `over_disk` are removed before those of others."""
        files = asyncio.ensure_future(self._sandbox.remove_files(over_disk=over_disk))  # there may be a million
        try:
            async with self._releasing.turn(gently=gently) as turn:
                found = await self._release(turn)
            found += await files
        finally:
            files.cancel()
        self._tries += 1
        left = self._leaks.report(found)
        if self._tries > 1 and not left:
            self._log.info("what was left of the pod is removed", code="pod.released")
        return left

    async def _release(self, turn: Turn) -> list[Leak]:
        containers = asyncio.ensure_future(self._remove_containers(turn))
        try:
            await asyncio.wait({containers}, timeout=ALONE_S)
            leaks = await self._sandbox.release_network()
            if not any(leak.what == "network" for leak in leaks):
                self._network_released()
            leaks = await containers + leaks
        finally:
            containers.cancel()
        return leaks + await self._sandbox.release_cgroup()

    async def _remove_containers(self, turn: Turn) -> list[Leak]:
        with self._urgently():
            return await self._containers.remove_all(turn.pause)
