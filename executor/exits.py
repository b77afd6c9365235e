"""The ends of containers, from containerd's event stream to the pods they belong to.

Nothing is lost with a broken stream: after every reconnect each container that is believed to run is looked up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from executor.errors import ExecutorError, NotFound
from executor.log import get_logger
from executor.names import ContainerId

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.pod.table import Pods

log = get_logger(__name__)

LOOK_AGAIN_S = 0.2
KILLED_CODE = 137
"""What is told of a container whose task vanished with its shim: containerd kills it then (128 + SIGKILL)."""


class ExitRouter:
    def __init__(self, containerd: Containerd, pods: Pods) -> None:
        self._containerd = containerd
        self._pods = pods

    async def run(self) -> None:
        """Until cancelled."""
        from executor.containerd.types import Resync, TaskExit

        async with self._containerd.events.subscribe() as stream:
            async for event in stream:
                match event:
                    case TaskExit() if not event.exec_id:
                        self._exited(ContainerId(event.container_id), event.exit_status)
                    case Resync():
                        await self._look_up_all()
                    case _:
                        pass

    def _exited(self, container: ContainerId, status: int) -> None:
        found = self._pods.by_container(container)
        if found is not None:
            runner, name = found
            runner.exited(name, status)

    async def _look_up_all(self) -> None:
        started = self._pods.started()
        log.warning("containerd's events were interrupted", code="containerd.resync", count=len(started))
        for container in started:
            await self._look_up(container)

    async def _look_up(self, container: ContainerId) -> None:
        """Until it is known, for an exit that is missed now is never told again."""
        while self._pods.by_container(container) is not None:
            try:
                task = await self._containerd.tasks.get(container)
            except NotFound:
                self._exited(container, KILLED_CODE)
                return
            except ExecutorError as error:
                log.debug("could not look a container up", container=container, error=error)
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            if task.status == "stopped":
                self._exited(container, task.exit_status)
            return
