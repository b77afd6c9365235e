"""What the probes of containers mean for the health of their tasks, in their statuses. Pure.

Source: TaskStatus.healthy and CheckStatusInfo in Mesos' include/mesos/v1/mesos.proto.
"""

from __future__ import annotations

from typing import Any

from executor.names import TaskId
from executor.pod.life.model import Container, Pod
from executor.spec.model import ContainerKind
from executor.spec.probes import Exec, HttpGet, Kind

HEALTH_UPDATED = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
CHECK_UPDATED = "REASON_TASK_CHECK_STATUS_UPDATED"


def of_pod(pod: Pod) -> dict[TaskId, bool | None]:
    """Whether each task of the pod is healthy; None: nothing probes it, or no probe has a result yet."""
    return {task: of_task(pod, task) for task in pod.spec.task_ids}


def of_task(pod: Pod, task: TaskId) -> bool | None:
    """A task is healthy while all of its containers are ready, as Kubernetes' condition Ready."""
    own = [each for each in pod.containers.values() if each.spec.task_id == task]
    own = [each for each in own if each.spec.kind is not ContainerKind.INIT]
    if not any(each.is_probed for each in own):
        return None
    values = [of_container(each) for each in own]
    return False if False in values else None if None in values else True


def of_container(container: Container) -> bool | None:
    """None: Mesos' health check has no result yet."""
    if container.spec.probes.health is not None and Kind.HEALTH not in container.verdicts:
        return None
    return container.ready


def at_end(pod: Pod, task: TaskId) -> bool | None:
    """False for a task that was ended because its health check failed, as of Mesos' own executors."""
    ends = [each.verdicts.get(Kind.HEALTH) for each in pod.containers.values() if each.spec.task_id == task]
    return False if any(verdict is not None and verdict.fatal for verdict in ends) else None


def message(pod: Pod, task: TaskId) -> str:
    """Why the task is not healthy, as far as a probe says it."""
    own = [each for each in pod.containers.values() if each.spec.task_id == task]
    bad = [verdict.message for each in own for verdict in each.verdicts.values() if not verdict.ok]
    return next(filter(None, bad), "")


def check_status(pod: Pod, task: TaskId) -> dict[str, Any] | None:
    """What the Mesos check of the task has found, without a value before its first result; None: it has no check."""
    for container in pod.containers.values():
        probe = container.spec.probes.check
        if container.spec.task_id == task and probe is not None:
            verdict = container.verdicts.get(Kind.CHECK)
            return _check_status(probe.action, None if verdict is None else verdict.value)
    return None


def _check_status(action: object, value: object) -> dict[str, Any]:
    kind, field = ("COMMAND", "command"), "exit_code"
    if isinstance(action, HttpGet):
        kind, field = ("HTTP", "http"), "status_code"
    elif not isinstance(action, Exec):
        kind, field = ("TCP", "tcp"), "succeeded"
    return {"type": kind[0], kind[1]: {} if value is None else {field: value}}
