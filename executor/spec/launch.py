"""From a launch to a pod: which description it has, and what every description has in common. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import Role, TaskId
from executor.spec import checks as common
from executor.spec import command, mount_part, network_annotations
from executor.spec.kubernetes.container_documents import CONTAINERS_MAX
from executor.spec.mesos.taskinfo import Identifier, TaskInfo
from executor.spec.model import PodSpec, Policy
from executor.spec.reading import document as manifest
from executor.spec.reading import form
from executor.spec.reading.faults import Faults
from executor.spec.reading.form import Reading

DEFAULT_POLICY = Policy()
ANY_RESOURCES: Final = Resources(cpus=2.0**30, mem_bytes=2**60, ports=((1, 65535),), roles=(Role("*"),), is_any=True)
"""Enough for any pod: where a task's resources are unknown, no pod is too large for them."""


def parse_launch(tasks: Sequence[Mapping[str, Any]], *, group: bool, policy: Policy = DEFAULT_POLICY) -> PodSpec:
    """The pod of a LAUNCH (one TaskInfo) or a LAUNCH_GROUP, in Mesos v1 JSON.

    Raises InvalidTask, and nothing else for any input: a FaultyTask with every field that cannot work.
    """
    if not isinstance(tasks, list | tuple) or not tasks:
        raise InvalidTask("there is no task in the launch", subject="tasks")
    if not group and len(tasks) > 1:
        raise InvalidTask("a LAUNCH has one task", subject="tasks", hint="use LAUNCH_GROUP for several")
    if len(tasks) > CONTAINERS_MAX:
        raise InvalidTask(f"are {len(tasks)}, and a pod has at most {CONTAINERS_MAX} containers", subject="tasks")
    paths = [f"tasks[{index}]" if group else "TaskInfo" for index in range(len(tasks))]
    read = [_task(task, path) for task, path in zip(tasks, paths, strict=True)]
    infos = [reading.value for reading in read]
    faults = Faults(fault for reading in read for fault in reading.faults)
    pod = _pod(infos, paths, faults, policy, group=group)
    faults.end()
    without_effect = tuple(path for reading in read for path in reading.without_effect)
    return replace(pod, task_names=tuple(map(_name, infos)), without_effect=without_effect + pod.without_effect)


def parse_pod(data: str, *, policy: Policy = DEFAULT_POLICY) -> PodSpec:
    """The pod in the base64 of a `TaskInfo.data`, without a task: what depends on a task's resources is not judged.
    Raises InvalidTask as parse_launch does.
    """
    from executor.spec.kubernetes import pod as kubepod

    pod = kubepod.pod(TaskInfo(task_id=Identifier(value="none"), resources=(), data=data), ANY_RESOURCES, policy)
    command.check_size(pod)
    mount_part.check_count(pod)
    return pod


def _pod(infos: Sequence[TaskInfo], paths: Sequence[str], faults: Faults, policy: Policy, *, group: bool) -> PodSpec:
    """Raises InvalidTask for a fault that no further field can be judged with; others go to `faults`."""
    ids = ((f"{path}.task_id", info.task_id.value) for info, path in zip(infos, paths, strict=True))
    faults.check(common.unique, ids)
    resources = faults.of(ANY_RESOURCES, _resources, infos, paths, group=group)
    try:
        pod = _described(infos, paths, resources, policy, group=group)
        command.check_size(pod)
        mount_part.check_count(pod)
        network_annotations.check({}, pod.labels)
    except InvalidTask as error:
        faults.add(error)
        faults.end()
        raise
    return pod


def _described(
    infos: Sequence[TaskInfo], paths: Sequence[str], resources: Resources, policy: Policy, *, group: bool
) -> PodSpec:
    if infos[0].data and not group:
        from executor.spec.kubernetes import pod as kubepod

        return kubepod.pod(infos[0], resources, policy)
    from executor.spec.mesos import pod as taskpod

    for info, path in zip(infos, paths, strict=True):
        if info.data:
            hint = "launch it alone with LAUNCH, or describe the containers by the group's tasks"
            raise InvalidTask("a task of a group describes one container, not a pod", subject=f"{path}.data", hint=hint)
    return taskpod.pod(infos, paths, resources, policy, group=group)


def _name(info: TaskInfo) -> str:
    discovery = info.discovery
    name = discovery.get("name") if isinstance(discovery, dict) else None
    return name if name and isinstance(name, str) else info.name


def _task(task: Any, path: str) -> Reading[TaskInfo]:
    manifest.vet(task, subject=path)
    return form.read(task, TaskInfo, path=path)


def _resources(infos: Sequence[TaskInfo], paths: Sequence[str], *, group: bool) -> Resources:
    for info, path in zip(infos, paths, strict=True):
        Resources.of(info.resources, subject=f"{path}.resources")  # for the path of what is malformed
    total = Resources.of([resource for info in infos for resource in info.resources])
    subject = "tasks[].resources" if group else "TaskInfo.resources"
    common.role(total, subject)
    common.usable(total, subject)
    return total


def task_ids(infos: Sequence[TaskInfo]) -> tuple[TaskId, ...]:
    """The task ids of a launch, in its order."""
    return tuple(TaskId(info.task_id.value) for info in infos)
