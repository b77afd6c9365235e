"""Builders for the v1 JSON that a scheduler sends (mesos.proto). Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.support.mesos.http import Message

TERMINAL = frozenset(
    f"TASK_{name}" for name in ("FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR")
)


def scalar(name: str, value: float, *, revocable: bool = False) -> Message:
    """`cpus` in cores, `mem` and `disk` in MB. The scheduler adds allocation and provider from the offer."""
    resource: Message = {"name": name, "type": "SCALAR", "scalar": {"value": value}}
    return resource | {"revocable": {}} if revocable else resource


def ranges(name: str, *spans: tuple[int, int]) -> Message:
    return {"name": name, "type": "RANGES", "ranges": {"range": [{"begin": begin, "end": end} for begin, end in spans]}}


def ports(count: int) -> Message:
    """`count` ports, whichever are offered: the scheduler replaces this by their ranges."""
    return {"name": "ports", "type": "RANGES", "count": count}


def labels(values: Mapping[str, str]) -> Message:
    return {"labels": [{"key": key, "value": value} for key, value in values.items()]}


def seconds(value: float) -> Message:
    """A DurationInfo."""
    return {"nanoseconds": round(value * 1e9)}


def kill_policy(grace_s: float) -> Message:
    return {"grace_period": seconds(grace_s)}


def command(value: str, environment: Mapping[str, str] | None = None, **fields: Any) -> Message:
    """A shell command."""
    variables = [{"name": name, "value": text} for name, text in (environment or {}).items()]
    return {"value": value, "environment": {"variables": variables}, **fields}


def executor_info(
    executor_id: str,
    command_line: str,
    resources: Sequence[Message] = (),
    *,
    environment: Mapping[str, str] | None = None,
    data: bytes | None = None,
    **fields: Any,
) -> Message:
    """A custom executor; the scheduler adds the framework's id. Other fields of ExecutorInfo as they are."""
    info: Message = {
        "type": "CUSTOM",
        "executor_id": {"value": executor_id},
        "name": executor_id,
        "command": command(command_line, environment),
        "resources": list(resources),
        **fields,
    }
    return info if data is None else info | {"data": base64.b64encode(data).decode()}


def task_info(task_id: str, resources: Sequence[Message], *, data: bytes | None = None, **fields: Any) -> Message:
    """A task without its agent and executor, which the scheduler adds. Other fields of TaskInfo as they are."""
    info: Message = {"task_id": {"value": task_id}, "name": task_id, "resources": list(resources), **fields}
    return info if data is None else info | {"data": base64.b64encode(data).decode()}


def launch_operation(tasks: Iterable[Message]) -> Message:
    return {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}


def launch_group_operation(executor: Message, tasks: Iterable[Message]) -> Message:
    return {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": list(tasks)}}}
