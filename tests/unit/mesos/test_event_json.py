"""Records of the event stream: read like any JSON, but what a framework may make as large as it likes."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from executor.errors import MesosFailure
from executor.mesos import event_json, events

TASK: dict[str, Any] = {
    "name": "web",
    "task_id": {"value": "web.1"},
    "agent_id": {"value": "S0"},
    "resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": 32.0}}],
    "data": "e30=",
}
STUB = {"name": "web", "task_id": {"value": "web.1"}, "agent_id": {"value": "S0"}, "resources": []}


def launch(task: Any) -> dict[str, Any]:
    return {"type": "LAUNCH", "launch": {"task": task}}


def group(tasks: list[Any]) -> dict[str, Any]:
    return {"type": "LAUNCH_GROUP", "launch_group": {"task_group": {"tasks": tasks}, "executor": {"a": [1]}}}


def received(event: dict[str, Any]) -> events.Received:
    found: dict[str, Any] = event_json.read(json.dumps(event).encode())
    return events.decode(found, shutdown_grace_s=5)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "HEARTBEAT"},
        {"type": "KILL", "kill": {"task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": 5}}}},
        {"type": "SUBSCRIBED", "subscribed": {"executor_info": {"x": [None]}, "framework_info": {}, "agent_info": {}}},
        {"type": "SOMETHING", "something": {"launch": 1}},
        {"type": "LAUNCH", "launch": {"task": {"task_id": {}}}},
        {"type": "LAUNCH", "launch": 1},
        {"type": "MESSAGE", "message": {"data": 7}},
        {"type": 7},
        [1],
    ],
    ids=str,
)
def test_other_events_are_read_as_they_are(event: Any) -> None:
    found = event_json.read(json.dumps(event).encode())
    if isinstance(found, dict):
        found.pop(event_json.SIZE, None)
    assert found == event


def test_launches_are_read_whole() -> None:
    assert received(launch(TASK)) == events.Launch((TASK,), group=False)
    assert received(group([TASK, TASK])) == events.Launch((TASK, TASK), group=True)
    text = {**TASK, "name": "\ud800"}
    assert received(launch(text)) == events.Launch((text,), group=False)


TOO_LARGE = {
    "data": {"data": "x" * (4 << 20)},
    "values": {"labels": {"labels": [{"key": str(number)} for number in range(20_000)]}},
    "text": {"command": {"value": "x" * (4 << 20)}},
}


@pytest.mark.parametrize("fields", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_task_above_a_bound_keeps_what_identifies_it(fields: dict[str, Any]) -> None:
    found = received(launch({**TASK, **fields}))
    assert isinstance(found, events.Launch)
    assert found.tasks == (STUB,)
    assert "more than" in found.fault


def test_many_tasks_keep_their_ids() -> None:
    tasks = [{**TASK, "task_id": {"value": f"t{number}"}} for number in range(5000)]
    data = json.dumps(group(tasks)).encode()
    begin = time.process_time()
    found = events.decode(event_json.read(data), shutdown_grace_s=5)
    assert time.process_time() - begin < 3
    assert isinstance(found, events.Launch)
    assert found.task_ids == tuple(f"t{number}" for number in range(5000))
    assert found.fault == "the launch has 5000 tasks, and a pod has at most 100 containers"


def test_the_tasks_of_a_group_are_bounded_together() -> None:
    """Each below the bound of one task: a quarter of a million faults took two seconds and 150 MiB."""
    faulty = {**TASK, "command": {"environment": {"variables": [{f"k{number}": 1 for number in range(2000)}]}}}
    tasks = [{**faulty, "task_id": {"value": f"t{number}"}} for number in range(100)]
    found = received(group(tasks))
    assert isinstance(found, events.Launch)
    assert found.fault == "the launch has more than 100000 values"
    assert found.tasks[99] == {**STUB, "task_id": {"value": "t99"}}
    few = received(group(tasks[:20]))
    assert isinstance(few, events.Launch) and few.fault == "" and few.tasks == tuple(tasks[:20])


def test_a_message_is_cut_above_what_any_reader_takes() -> None:
    data = base64.b64encode(b"x" * (8 << 20)).decode()
    found = received({"type": "MESSAGE", "message": {"data": data}})
    assert isinstance(found, events.Message)
    assert 256 << 10 < len(found.data) < 512 << 10


@pytest.mark.parametrize("record", [b"", b"{", b"[" * 100_000, b'{"type":"LAUNCH"', b"\xff", b'{"a":' * 2000])
def test_what_is_no_json(record: bytes) -> None:
    with pytest.raises(MesosFailure, match="an event is not JSON"):
        event_json.read(record)
