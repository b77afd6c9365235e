"""TaskStatus in Mesos's v1 JSON, and which state a task's end is. Pure.

Source: include/mesos/v1/mesos.proto and src/common/protobuf_utils.cpp (isTerminalState) of Mesos 1.11. The uuid, the
source, the ids of executor and agent and the time are the driver's to add. container_status never has a container_id:
the agent would look that container up.
"""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from executor.errors import clipped
from executor.names import TaskId

Json = dict[str, Any]


class TaskState(StrEnum):
    """The states an executor may send; TASK_STAGING is refused by the agent, the others are the master's."""

    STARTING = "TASK_STARTING"
    RUNNING = "TASK_RUNNING"
    KILLING = "TASK_KILLING"
    FINISHED = "TASK_FINISHED"
    FAILED = "TASK_FAILED"
    KILLED = "TASK_KILLED"
    ERROR = "TASK_ERROR"
    LOST = "TASK_LOST"
    DROPPED = "TASK_DROPPED"
    GONE = "TASK_GONE"


MESSAGE_MAX_LETTERS = 4000
TERMINAL = frozenset(TaskState) - {TaskState.STARTING, TaskState.RUNNING, TaskState.KILLING}
_BARE = frozenset({"task_id", "state", "message", "uuid", "timestamp", "source", "executor_id", "agent_id", "healthy"})
PREEMPTED = "REASON_CONTAINER_PREEMPTED"
MEMORY_LIMIT = "REASON_CONTAINER_LIMITATION_MEMORY"
DISK_LIMIT = "REASON_CONTAINER_LIMITATION_DISK"
MAX_COMPLETION = "REASON_MAX_COMPLETION_TIME_REACHED"
EXECUTOR_TERMINATED = "REASON_EXECUTOR_TERMINATED"
KILLED_DURING_LAUNCH = "REASON_TASK_KILLED_DURING_LAUNCH"
"""Reasons of terminal statuses; those of launches that are refused or fail are in executor/errors.py."""
BY_OPERATOR = "killed on the node by"
"""How the message of a task that a command on the node killed begins."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the framework declared it can take."""

    partition_aware: bool = False
    task_killing_state: bool = False

    @classmethod
    def of(cls, framework_info: Mapping[str, Any]) -> Capabilities:
        """From the FrameworkInfo of SUBSCRIBED."""
        declared = {capability.get("type") for capability in framework_info.get("capabilities", ())}
        return cls("PARTITION_AWARE" in declared, "TASK_KILLING_STATE" in declared)

    @property
    def gone(self) -> TaskState:
        """The state of a task whose resources were taken back: as the agent itself reports a QoS correction."""
        return TaskState.GONE if self.partition_aware else TaskState.LOST

    @property
    def dropped(self) -> TaskState:
        """The state of a task that never ran and can be launched again as it is."""
        return TaskState.DROPPED if self.partition_aware else TaskState.LOST

    @property
    def killing(self) -> TaskState | None:
        """None: this framework gets no status between a kill and its end."""
        return TaskState.KILLING if self.task_killing_state else None


def describe_exit(exit_code: int) -> str:
    """`exited with status 3`, or `terminated by SIGKILL`."""
    try:
        return f"terminated by {signal.Signals(exit_code - 128).name}"
    except ValueError:
        return f"exited with status {exit_code}"


def status(  # noqa: PLR0913 one keyword for each field of TaskStatus
    task_id: TaskId,
    state: TaskState,
    *,
    reason: str | None = None,
    message: str = "",
    labels: Mapping[str, str] | None = None,
    healthy: bool | None = None,
    network_infos: Sequence[Mapping[str, Any]] = (),
    check_status: Mapping[str, Any] | None = None,
    limitation: Iterable[Mapping[str, Any]] = (),
    data: bytes = b"",
) -> Json:
    """A TaskStatus. `limitation`: the Mesos resources whose limit was exceeded (TaskResourceLimitation)."""
    resources = [dict(resource) for resource in limitation]
    fields: Json = {
        "task_id": {"value": task_id},
        "state": state.value,
        "reason": reason,
        "message": clipped(_utf8(message), MESSAGE_MAX_LETTERS) or None,
        "labels": {"labels": [{"key": key, "value": value} for key, value in labels.items()]} if labels else None,
        "healthy": healthy,
        "container_status": {"network_infos": [dict(info) for info in network_infos]} if network_infos else None,
        "check_status": dict(check_status) if check_status else None,
        "limitation": {"resources": resources} if resources else None,
        "data": base64.b64encode(data).decode() if data else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _utf8(text: str) -> str:
    """Without what stands for bytes of a path that are no text: the agent would refuse the update each time."""
    return text.encode("utf-8", "replace").decode()


def stamped(status: Json, identity: bytes, at_s: float) -> Json:
    """With the uuid and the time (seconds since the epoch) that it keeps from here on, unless it has them."""
    return {"uuid": base64.b64encode(identity).decode(), "timestamp": at_s, **status}


def bare(status: Json) -> Json:
    """What of a complete TaskStatus any agent takes. The message says what happened; the rest explains it only."""
    return {name: value for name, value in status.items() if name in _BARE}


def is_terminal(state: str) -> bool:
    """Whether a task of this state has ended (mesos.proto, TaskState)."""
    return state in TERMINAL
