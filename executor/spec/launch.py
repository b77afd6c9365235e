"""From a launch to a pod: which description it has, and what every description has in common. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import TaskId
from executor.spec import checks as common
from executor.spec import command, marks, network_annotations
from executor.spec import document as manifest
from executor.spec.kubernetes.container_documents import CONTAINERS_MAX
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.model import PodSpec, Policy

DEFAULT_POLICY = Policy()


def parse_launch(tasks: Sequence[Mapping[str, Any]], *, group: bool, policy: Policy = DEFAULT_POLICY) -> PodSpec:
    """The pod of a LAUNCH (one TaskInfo) or a LAUNCH_GROUP, in Mesos v1 JSON.

    Raises InvalidTask, and nothing else whatever the input; `subject` is the path of the first field that cannot work.
    """
    if not isinstance(tasks, list | tuple) or not tasks:
        raise InvalidTask("there is no task in the launch", subject="tasks")
    if not group and len(tasks) > 1:
        raise InvalidTask("a LAUNCH has one task", subject="tasks", hint="use LAUNCH_GROUP for several")
    if len(tasks) > CONTAINERS_MAX:
        raise InvalidTask(f"are {len(tasks)}, and a pod has at most {CONTAINERS_MAX} containers", subject="tasks")
    paths = [f"tasks[{index}]" if group else "TaskInfo" for index in range(len(tasks))]
    infos = [_task(task, path) for task, path in zip(tasks, paths, strict=True)]
    common.unique((f"{path}.task_id", info.task_id.value) for info, path in zip(infos, paths, strict=True))
    resources = _resources(infos, paths, group=group)
    pod = _described(infos, paths, resources, policy, group=group)
    command.check_size(pod)
    network_annotations.check({}, pod.labels)
    return replace(pod, task_names=tuple(map(_name, infos)))


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
    return taskpod.pod(infos, paths, resources, policy)


def _name(info: TaskInfo) -> str:
    discovery = info.discovery
    name = discovery.get("name") if isinstance(discovery, dict) else None
    return name if name and isinstance(name, str) else info.name


def _task(task: Any, path: str) -> TaskInfo:
    manifest.vet(task, subject=path)
    return marks.decode(task, TaskInfo, path=path)


def _resources(infos: Sequence[TaskInfo], paths: Sequence[str], *, group: bool) -> Resources:
    for info, path in zip(infos, paths, strict=True):
        Resources.of(info.resources, subject=f"{path}.resources")  # for the path of what is malformed
    total = Resources.of([resource for info in infos for resource in info.resources])
    subject = "tasks[].resources" if group else "TaskInfo.resources"
    common.role(total, subject)
    common.usable(total, subject)
    return total


def task_ids(infos: Sequence[TaskInfo]) -> tuple[TaskId, ...]:
    return tuple(TaskId(info.task_id.value) for info in infos)
