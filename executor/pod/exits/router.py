"""The ends of containers, from containerd's event stream to the pods they belong to.

Nothing is lost with a broken stream: after every reconnect each container that is believed to run is looked up.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from executor import exhausted
from executor.errors import ExecutorError, NotFound
from executor.log import get_logger
from executor.names import ContainerId
from executor.pod.exits.unreported import LOOK_S, UnreportedExits

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.pod.table import Pods

log = get_logger(__name__)

LOOK_AGAIN_S = 0.2
KILLED_CODE = 137
"""The exit code of a container whose task vanished with its shim: containerd kills it then (128 + SIGKILL)."""


class ExitRouter:
    def __init__(self, containerd: Containerd, pods: Pods) -> None:
        self._containerd = containerd
        self._pods = pods
        self._look_ups: dict[ContainerId, asyncio.Task[None]] = {}
        self._interrupted = False
        """No subscription has worked since the last failure, which is logged once."""

    async def run(self) -> None:
        """Until cancelled. After every failure it subscribes again: without it no pod would ever end."""
        unreported = asyncio.create_task(self._look_for_unreported())
        try:
            while True:
                try:
                    await self._follow()
                except ExecutorError as error:
                    if not self._interrupted:
                        log.warning("containerd's events cannot be read", code="containerd.no_events", error=error)
                    self._interrupted = True
                except Exception as error:
                    if exhausted.tell(log, error) is None:
                        log.exception("defect while following containerd's events", code="executor.defect")
                await asyncio.sleep(LOOK_AGAIN_S)
                self._look_up_all()
        finally:
            for task in (*self._look_ups.values(), unreported):
                task.cancel()

    async def _look_for_unreported(self) -> None:
        """The ends that a shim which hangs keeps to itself."""
        unreported = UnreportedExits()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                unreported.look(self._pods)
            except Exception as error:
                if exhausted.tell(log, error) is None:
                    log.exception("defect while looking for ends", code="executor.defect")

    async def _follow(self) -> None:
        from executor.containerd.types import Resync, TaskExit, TaskOom

        async with self._containerd.events.subscribe() as stream:
            self._interrupted = False
            self._look_up_all()
            async for event in stream:
                match event:
                    case TaskExit() if not event.exec_id:
                        self._exited(ContainerId(event.container_id), event.exit_status, event.pid)
                    case TaskOom():
                        self._short_of_memory(ContainerId(event.container_id))
                    case Resync():
                        self._look_up_all()
                    case _:
                        pass

    def _exited(self, container: ContainerId, status: int, pid: int) -> None:
        found = self._pods.by_container(container)
        if found is not None:
            runner, name = found
            runner.exited(name, status, pid)

    def _short_of_memory(self, container: ContainerId) -> None:
        found = self._pods.by_container(container)
        if found is not None:
            runner, name = found
            runner.short_of_memory(name)

    def _look_up_all(self) -> None:
        """Each by itself, and beside the stream: one shim that hangs must not hide the ends of the others. A look-up
        that is under way is begun again, for its answer may be older than the interruption.
        """
        started = self._pods.started()
        if not started:
            return
        if not self._interrupted:
            log.warning("containerd's events were interrupted", code="containerd.resync", count=len(started))
        for container in started:
            if (before := self._look_ups.pop(container, None)) is not None:
                before.cancel()
            task = self._look_ups[container] = asyncio.create_task(self._look_up(container))
            task.add_done_callback(partial(self._looked_up, container))

    def _looked_up(self, container: ContainerId, task: asyncio.Task[None]) -> None:
        if self._look_ups.get(container) is task:
            del self._look_ups[container]

    async def _look_up(self, container: ContainerId) -> None:
        """Until it is known, for containerd does not repeat an exit. The answer is about the run that is there now: it
        may come when that is over, and the container has been started again.
        """
        asked = self._pid(container)
        while asked is not None and self._pid(container) == asked:
            try:
                task = await self._containerd.tasks.get(container)
            except NotFound:
                self._exited(container, KILLED_CODE, asked)
                return
            except ExecutorError as error:
                log.debug("could not look a container up", container=container, error=error)
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            if task.status == "stopped":
                self._exited(container, task.exit_status, asked)
            return

    def _pid(self, container: ContainerId) -> int | None:
        """The first process of the run of this container that is there now; None while there is none."""
        found = self._pods.by_container(container)
        return None if found is None else found[0].containers.pid(found[1])
