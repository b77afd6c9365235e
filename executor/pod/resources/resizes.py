"""Carries out what frameworks ask for by {"resize": ...}: other amounts of cpu and memory for containers that run.

All of a request takes effect, or none of it: what was written is taken back where a later write fails.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError, CgroupNotFound, Limits, Mode
from executor.errors import Failure, NotFound, Refused
from executor.log import get_logger
from executor.names import TaskId
from executor.oci import document as oci
from executor.pod.object_updates import LIVING
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
            await asyncio.to_thread(self._write, runner, before, after)
            runner.resized(after)
        runner.log.info("resized", code="pod.resized", containers=changed)
        return {"resized": {"id": request.id, "task": request.task, "containers": changed}}

    def _write(self, runner: PodRunner, before: PodSpec, after: PodSpec) -> None:
        """To the groups that there are: a container that starts later has the amounts of the pod's description."""
        written: list[ContainerSpec] = []
        try:
            for old, new in zip(before.containers, after.containers, strict=True):
                if self._amounts(before, old) != self._amounts(after, new):
                    written.append(old)
                    self._apply(self._group(runner, new), after, old, new)
        except CgroupError as error:
            for old in written:
                self._apply(self._group(runner, old), before, old, old)
            raise Failure(f"could not be resized: {error}", subject=f"container {written[-1].name}") from error

    def _group(self, runner: PodRunner, container: ContainerSpec) -> Cgroup:
        return self._tree.container(runner.spec.pod_class, runner.spec.role, runner.id, container.name)

    def _apply(self, group: Cgroup, pod: PodSpec, old: ContainerSpec, new: ContainerSpec) -> None:
        try:
            lower = new.limits.memory_bytes or 0
            if lower < (old.limits.memory_bytes or lower) and (used := _working_set_bytes(group)) > lower:
                message = f"uses {used} bytes of memory, which do not fit into {lower}"
                raise Refused(message, subject=f"container {new.name}", hint="wait until it uses less")
            group.apply(self._amounts(pod, new))
        except CgroupNotFound:
            return  # it does not run now

    def _amounts(self, pod: PodSpec, container: ContainerSpec) -> Limits:
        """What runc makes of them at a start."""
        cpu = oci.cpu(pod, container)
        quota_cores = cpu["quota"] / cpu["period"] if "quota" in cpu else None
        weight = _weight(cpu["shares"], self._tree.hierarchies.mode) if "shares" in cpu else None
        return Limits(cpu_weight=weight, cpu_quota_cores=quota_cores, memory_max_bytes=container.limits.memory_bytes)


def _weight(shares: int, mode: Mode) -> int:
    """For cgroup2 as runc makes it of shares (ConvertCPUSharesToCgroupV2Value): the containers of a pod compare."""
    if mode is Mode.V2:
        return 1 + (shares - 2) * 9999 // 262142
    return min(max(round(shares * 100 / 1024), 1), 10_000)


def _working_set_bytes(group: Cgroup) -> int:
    return group.stat().memory_working_set_bytes or 0
