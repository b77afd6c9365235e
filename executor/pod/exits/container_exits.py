"""What containerd tells of the containers of one pod, and what the kernel says about it: exits, and kills for memory.

An exit is read together with the container's cgroup, which still knows whether the kernel killed something in it for
memory. If it was not the first process, the pod lives on or ends as it does, and an event tells. While the container
runs, containerd's TaskOOM is taken as a hint to look: with a limit on a parent group every container below it gets
one, so the count of victims in the container's own group decides.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cgroups import CgroupError
from executor.pod import lifecycle
from executor.pod.exits import oom
from executor.pod.exits.causes import DOUBT_S
from executor.pod.exits.process_state import is_dying
from executor.pod.model import ContainerExited
from executor.pod.pod_events import note_child_oom

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from cgroups import Tree
    from executor.pod.runner import PodRunner

LOOKS_S = (0.1, 1.0)
"""When the count is read after a hint, which comes before the kernel has killed. Hints meanwhile change nothing."""


class ContainerExits:
    """`close` ends what is still awaited."""

    def __init__(self, runner: PodRunner, tree: Tree) -> None:
        self._runner = runner
        self._tree = tree
        self._told: dict[str, int] = {}
        """How many of the kernel's victims in the present run of a container were told."""
        self._looks: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def begin(self, container: str) -> None:
        """A run of it on a cgroup of its own begins."""
        self._told.pop(container, None)

    def exited(self, container: str, exit_code: int, pid: int | None) -> None:
        """containerd saw the first process of `container` end. Read now what its cgroup still tells.

        `pid` tells a late word of an earlier run of the container from one of this run; None is not known.
        """
        runner = self._runner
        if pid is not None and pid != runner.containers.pid(container):
            return
        alone = runner.kill_result is None and runner.pod.stop is None
        killed = exit_code == lifecycle.KILLED_CODE and alone
        first = runner.pod.containers[container].pid
        kills = self._kills(container) if alone else 0
        fresh = kills > self._told.get(container, 0)  # a child that was killed long ago explains no end now
        found = oom.of_container(self._tree, runner.spec, runner.id, container, first) if killed and fresh else None
        if found is None:
            self._tell(container, kills)
        ended = ContainerExited(container, exit_code, found, runner.containers.ran_s(container), kills)
        doubt_s = DOUBT_S if killed and found is None else 0.0
        self._spawn(self._report(ended, runner.containers.pid(container), doubt_s))

    async def _report(self, ended: ContainerExited, pid: int | None, doubt_s: float) -> None:
        """Believed once this executor has outlived it for a while (see endings.py), and its output is in the log."""
        await asyncio.sleep(doubt_s)
        await self._runner.containers.written(self._runner.pod.stop, [ended.container])
        if pid == self._runner.containers.pid(ended.container):  # told twice, it may have been started anew
            self._runner.post(ended)

    def short_of_memory(self, container: str) -> None:
        """containerd reports that a limit was met, of this container or of a group above it."""
        if container not in self._looks:
            self._looks.add(container)
            self._spawn(self._look(container))

    async def _look(self, container: str) -> None:
        try:
            for delay_s in LOOKS_S:
                await asyncio.sleep(delay_s)
                pid = self._runner.containers.pid(container)
                if (
                    pid is not None and self._runner.containers.lives(container) and not is_dying(pid)
                ):  # else its exit tells
                    self._tell(container, self._kills(container))
        finally:
            self._looks.discard(container)

    def _kills(self, container: str) -> int:
        """How many processes of its present run the kernel has killed for memory."""
        spec = self._runner.spec
        try:
            return self._tree.container(spec.pod_class, spec.role, self._runner.id, container).stat().oom_kills or 0
        except CgroupError:
            return 0

    def _tell(self, container: str, kills: int) -> None:
        fresh = kills - self._told.get(container, 0)
        if fresh > 0:
            self._told[container] = kills
            found = oom.of_container(self._tree, self._runner.spec, self._runner.id, container, None)
            note_child_oom(self._runner.log, container, fresh, found)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
