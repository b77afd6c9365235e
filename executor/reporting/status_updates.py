"""From a pod's report to a Mesos status update. Pure.

TASK_KILLING is for frameworks with the capability TASK_KILLING_STATE; one without PARTITION_AWARE knows no TASK_GONE
and no TASK_DROPPED and gets TASK_LOST, as from Mesos itself (src/slave/slave.cpp, _qosCorrections and _run).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from executor.mesos.status import (
    DISK_LIMIT,
    EXECUTOR_TERMINATED,
    KILLED_DURING_LAUNCH,
    Capabilities,
    TaskState,
    status,
)
from executor.names import TaskId
from executor.pod.life import health
from executor.pod.life.effects import Report
from executor.pod.life.model import Pod
from executor.reporting import container_statuses

Labels = dict[str, str]


def updates(
    report: Report,
    able: Capabilities,
    *,
    network_infos: Sequence[dict[str, Any]] = (),
    labels: Labels | None = None,
    pod: Pod | None = None,
) -> list[dict[str, Any]]:
    """One TaskStatus for each task of the report, in the states that the framework can take. `pod` is theirs, if they
    became one.
    """
    able_to = {TaskState.KILLING: able.killing, TaskState.GONE: able.gone, TaskState.DROPPED: able.dropped}
    state = able_to.get(report.state, report.state)
    if state is None:
        return []
    return [
        status(
            task,
            state,
            reason=report.reason,
            message=report.message,
            labels=labels or {},
            healthy=report.healthy,
            network_infos=network_infos,
            check_status=report.check_status or (None if pod is None else health.check_status(pod, task)),
            limitation=_limitation(report),
            data=b"" if pod is None else container_statuses.encoded(pod, task),
        )
        for task in report.tasks
    ]


def _limitation(report: Report) -> list[dict[str, Any]]:
    """Mesos counts memory and disk in MB of 2^20 bytes."""
    if report.limit_bytes is None:
        return []
    name = "disk" if report.reason == DISK_LIMIT else "mem"
    return [{"name": name, "type": "SCALAR", "scalar": {"value": report.limit_bytes / 2**20}}]


def dropped(tasks: tuple[TaskId, ...]) -> Report:
    """The report of tasks whose launch came too late for this executor."""
    message = "the executor was ending when the launch came (launch it again: that starts a new executor)"
    return Report(tasks, TaskState.DROPPED, EXECUTOR_TERMINATED, message)


def killed_before_launch(tasks: Sequence[TaskId]) -> Report:
    """The report of tasks that were killed before their launch was read."""
    message = "killed by the scheduler"
    return Report(tuple(tasks), TaskState.KILLED, KILLED_DURING_LAUNCH, message)


def invalid(task: TaskId, message: str, reason: str) -> Report:
    """The report of a task that never became a pod."""
    return Report((task,), TaskState.FAILED, reason, message)
