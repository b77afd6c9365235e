"""Events of the executor API as values. Pure.

`decode` turns one JSON object of the agent's stream (executor.proto, Event) into one of these; Disconnected, and a
Shutdown with a reason of our own, are made by the driver. TaskInfo and the infos of SUBSCRIBED stay JSON objects.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from executor.errors import MesosFailure
from executor.mesos.event_json import FAULT, SIZE
from executor.names import MesosContainerId, TaskId

Json = dict[str, Any]
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Subscribed:
    """`resubscribed`: this process was subscribed before, so its pods live and nothing is launched again."""

    framework_info: Json
    agent_info: Json
    executor_info: Json
    container_id: MesosContainerId
    resubscribed: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """One pod. The agent may repeat a launch that it does not know to have arrived; the receiver decides.

    `fault` says why `tasks` hold no more than what identifies them; `size_bytes` is what they had as JSON.
    """

    tasks: tuple[Json, ...]
    group: bool
    fault: str = ""
    size_bytes: int = field(default=0, compare=False)

    @property
    def task_ids(self) -> tuple[TaskId, ...]:
        """The ids of all tasks of the launch, in its order."""
        return tuple(TaskId(task["task_id"]["value"]) for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Kill:
    """`grace_s` is None unless the kill itself brought a policy; the task's own is in its TaskInfo."""

    task_id: TaskId
    grace_s: float | None


@dataclass(frozen=True, slots=True)
class Message:
    data: bytes


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End every pod and exit within `grace_s`; updates can still be sent if it is the agent that asked."""

    grace_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The agent is away. Updates are kept; Subscribed or Shutdown follows."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The agent has written the update down: once for each uuid (base64, as in the status)."""

    task_id: TaskId
    uuid: str


@dataclass(frozen=True, slots=True)
class AgentError:
    message: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Never leaves the driver."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type that this version does not know. Never leaves the driver."""

    type: str


Event = Subscribed | Launch | Kill | Message | Shutdown | Disconnected | Acknowledged | AgentError
Received = Subscribed | Launch | Kill | Message | Shutdown | Acknowledged | AgentError | Heartbeat | Unknown


def decode(event: Mapping[str, Any], *, shutdown_grace_s: float) -> Received:
    """Raises MesosFailure if the object has not the form of its type."""
    kind = event.get("type")
    try:
        if kind == "SHUTDOWN":
            return Shutdown(shutdown_grace_s, "the agent asked for it")
        if kind == "HEARTBEAT":
            return Heartbeat()
        reader = _READERS.get(str(kind))
        found = reader(event[str(kind).lower()]) if reader else Unknown(str(kind)[:_SHOWN])
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise MesosFailure(f"event without its form: {error!r}", subject=f"event {kind}") from error
    if isinstance(found, Launch):
        return replace(found, fault=event.get(FAULT, ""), size_bytes=event.get(SIZE, 0))
    return found


def _subscribed(body: Json) -> Subscribed:
    container = MesosContainerId(body.get("container_id", {}).get("value", ""))
    return Subscribed(dict(body["framework_info"]), dict(body["agent_info"]), dict(body["executor_info"]), container)


def _launch(body: Json) -> Launch:
    return Launch((_task(body["task"]),), group=False)


def _launch_group(body: Json) -> Launch:
    return Launch(tuple(_task(task) for task in body["task_group"]["tasks"]), group=True)


def _task(task: Json) -> Json:
    if not isinstance(task["task_id"]["value"], str):
        raise TypeError("task_id is not a string")
    return task


def _kill(body: Json) -> Kill:
    grace = body.get("kill_policy", {}).get("grace_period", {}).get("nanoseconds")
    return Kill(TaskId(body["task_id"]["value"]), None if grace is None else int(grace) / 1e9)


def _message(body: Json) -> Message:
    return Message(base64.b64decode(body["data"], validate=True))


def _acknowledged(body: Json) -> Acknowledged:
    return Acknowledged(TaskId(body["task_id"]["value"]), str(body["uuid"]))


def _error(body: Json) -> AgentError:
    return AgentError(str(body["message"]))


_READERS: Mapping[str, Callable[[Json], Received]] = {
    "SUBSCRIBED": _subscribed,
    "LAUNCH": _launch,
    "LAUNCH_GROUP": _launch_group,
    "KILL": _kill,
    "MESSAGE": _message,
    "ACKNOWLEDGED": _acknowledged,
    "ERROR": _error,
}
