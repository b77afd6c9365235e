"""Carries out what frameworks ask for by {"resize": ...}: other amounts of cpu and memory for containers that run.

All of a request takes effect, or none of it: what was written is taken back where a later write fails.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError, CgroupNotFound
from executor.errors import ExecutorError, Failure, NotFound, Refused
from executor.log import get_logger
from executor.names import TaskId
from executor.pod.object_updates import LIVING
from executor.pod.resources import amounts
from executor.spec import resize

if TYPE_CHECKING:
    from cgroups import Cgroup, Tree
    from executor.pod.runner import PodRunner
    from executor.pod.table import Pods
    from executor.spec.model import ContainerSpec, PodSpec

log = get_logger(__name__)


class Resizes:
    def __init__(self, pods: Pods, tree: Tree) -> None:
        self._pods, self._tree = pods, tree
        self._one_at_a_time = asyncio.Lock()

    async def take(self, document: object) -> dict[str, Any]:
        """The answer: which containers have other amounts now. Raises ExecutorError, and nothing is changed then."""
        request = resize.parse(document)
        async with self._one_at_a_time:
            runner = self._pods.by_task(TaskId(request.task))
            if runner is None or runner.pod.state not in LIVING:
                raise NotFound("has no pod that runs", subject=f"task {request.task[:80]}")
            before, after = runner.spec, resize.applied(runner.spec, request)
            changed = [new.name for old, new in zip(before.containers, after.containers, strict=True) if old != new]
            runner.resized(after)  # first, so that a container that is just being made finds them
            try:
                await asyncio.to_thread(self._write, runner, before, after)
            except ExecutorError:
                runner.resized(before)
                await asyncio.to_thread(self._restore, runner, before, after)
                raise
        runner.log.info("resized", code="pod.resized", containers=changed)
        return {"resized": {"id": request.id, "task": request.task, "containers": changed}}

    def _write(self, runner: PodRunner, before: PodSpec, after: PodSpec) -> None:
        """To the groups that there are: a container that starts later has the amounts of the pod's description. Raises
        Refused, Failure.
        """
        for old, new in self._changed(before, after):
            try:
                self._apply(self._group(runner, new), after, old, new)
            except CgroupError as error:
                raise Failure(f"could not be resized: {error}", subject=f"container {new.name}") from error

    def _restore(self, runner: PodRunner, before: PodSpec, after: PodSpec) -> None:
        """The former amounts of each container, also of one that was made meanwhile. Raises Failure."""
        for old, _ in self._changed(before, after):
            try:
                self._apply(self._group(runner, old), before, old, old)
            except CgroupError as error:
                message = f"was not resized, and its former amounts could not be written again: {error}"
                raise Failure(message, subject=f"container {old.name}") from error

    def _changed(self, before: PodSpec, after: PodSpec) -> list[tuple[ContainerSpec, ContainerSpec]]:
        mode = self._tree.hierarchies.mode
        pairs = zip(before.containers, after.containers, strict=True)
        return [
            (old, new) for old, new in pairs if amounts.of(before, old.name, mode) != amounts.of(after, new.name, mode)
        ]

    def _group(self, runner: PodRunner, container: ContainerSpec) -> Cgroup:
        return self._tree.container(runner.spec.pod_class, runner.spec.role, runner.id, container.name)

    def _apply(self, group: Cgroup, pod: PodSpec, old: ContainerSpec, new: ContainerSpec) -> None:
        try:
            lower = new.limits.memory_bytes or 0
            if lower < (old.limits.memory_bytes or lower) and (used := _working_set_bytes(group)) > lower:
                message = f"uses {used} bytes of memory, which do not fit into {lower}"
                raise Refused(message, subject=f"container {new.name}", hint="wait until it uses less")
            group.apply(amounts.of(pod, new.name, self._tree.hierarchies.mode))
        except CgroupNotFound:
            return  # it does not run now


def _working_set_bytes(group: Cgroup) -> int:
    return group.stat().memory_working_set_bytes or 0
