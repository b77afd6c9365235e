"""One record of the agent's event stream as a JSON object, with any content of a framework. Pure.

A LAUNCH or MESSAGE is as large as its framework likes, and Python's JSON readers let no other thread run while they
read. So the tasks of a launch are found first, unread, which takes milliseconds; what is above a bound is not read but
replaced: a task by what identifies it, with the reason under FAULT of the event, and a message by its beginning, which
is more than any reader of messages takes. Invariant: every task of the event is in it, in its order, with its id.
"""

from __future__ import annotations

from typing import Any

import msgspec

from executor.bounded_json import Bounds, JsonBoundError, check, loads
from executor.errors import MesosFailure

Json = dict[str, Any]

FAULT = "mesos-pod-executor.fault"
"""Beside the fields of Mesos' Event: why the tasks of this launch were not read."""
SIZE = "mesos-pod-executor.size_bytes"
"""The size of the launch's tasks as JSON."""
TASK = Bounds(3 << 20, values=20_000)
"""One TaskInfo. Its data may be a mebibyte, in base64 with slashes escaped."""
LAUNCH = Bounds(4 << 20, values=100_000)
"""All TaskInfos of a group together: the faults of one may be as many as its values."""
TASKS_MAX = 100
MESSAGE_MAX_LETTERS = 400_000
OTHER = Bounds(8 << 20, values=200_000)
_NAME_MAX = 255


class _Id(msgspec.Struct):
    value: str


class _Task(msgspec.Struct):
    task_id: _Id
    name: str = ""
    agent_id: _Id | None = None


class _Tasks(msgspec.Struct):
    tasks: list[msgspec.Raw]


class _Launch(msgspec.Struct):
    task: msgspec.Raw


class _Group(msgspec.Struct):
    task_group: _Tasks


class _Message(msgspec.Struct):
    data: str


class _Event(msgspec.Struct):
    type: str
    launch: _Launch | None = None
    launch_group: _Group | None = None
    message: _Message | None = None


_EVENT, _TASK = msgspec.json.Decoder(_Event), msgspec.json.Decoder(_Task)


def read(record: bytes) -> Any:
    """The record's JSON. Raises MesosFailure for what is none: the stream is to be dropped."""
    try:
        found = _known(record)
        return loads(record, OTHER) if found is None else found
    except (ValueError, RecursionError) as error:
        raise MesosFailure(f"an event is not JSON: {error}", subject="event stream") from error


def _known(record: bytes) -> Json | None:
    """A launch or a message; None for any other event, and for one that has not their form."""
    try:
        event = _EVENT.decode(record)
        if event.type == "LAUNCH" and event.launch is not None:
            tasks, more = _tasks([event.launch.task])
            return {"type": event.type, "launch": {"task": tasks[0]}, **more}
        if event.type == "LAUNCH_GROUP" and event.launch_group is not None:
            tasks, more = _tasks(event.launch_group.task_group.tasks)
            return {"type": event.type, "launch_group": {"task_group": {"tasks": tasks}}, **more}
    except msgspec.MsgspecError:
        return None
    if event.type == "MESSAGE" and event.message is not None:
        return {"type": event.type, "message": {"data": event.message.data[:MESSAGE_MAX_LETTERS]}}
    return None


def _tasks(raw: list[msgspec.Raw]) -> tuple[list[Any], Json]:
    """The tasks, and what the event says beside them."""
    sizes = [len(memoryview(task)) for task in raw]
    fault = ""
    if len(raw) > TASKS_MAX:
        fault = f"the launch has {len(raw)} tasks, and a pod has at most {TASKS_MAX} containers"
    elif sum(sizes) > LAUNCH.size_bytes:
        fault = f"the launch has {sum(sizes)} bytes, which is more than {LAUNCH.size_bytes}"
    size = {SIZE: sum(sizes)}
    if not fault:
        try:
            _check_together(raw)
            return [loads(bytes(task), TASK) for task in raw], size
        except JsonBoundError as error:
            fault = str(error)
    return [_stub(_TASK.decode(task)) for task in raw], {**size, FAULT: fault}


def _check_together(raw: list[msgspec.Raw]) -> None:
    """Raises JsonBoundError."""
    try:
        check(b",".join(map(bytes, raw)), LAUNCH)
    except JsonBoundError as error:
        raise JsonBoundError(f"the launch {error.message}") from error


def _stub(task: _Task) -> Json:
    """What Mesos requires of a TaskInfo, for SUBSCRIBE may have to carry it."""
    agent = task.agent_id.value if task.agent_id is not None else ""
    return {
        "name": task.name[:_NAME_MAX],
        "task_id": {"value": task.task_id.value},
        "agent_id": {"value": agent},
        "resources": [],
    }
