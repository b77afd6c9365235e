"""Real events of a Mesos 1.11 agent as values, and objects that are none."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import MesosFailure
from executor.mesos import events
from executor.mesos.events import Received, decode
from executor.names import TaskId

TASK = {"name": "t1", "task_id": {"value": "t1"}, "data": "aGVsbG8A/w=="}


def read(event: dict[str, Any]) -> Received:
    return decode(event, shutdown_grace_s=3.0)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "LAUNCH", "launch": {"task": TASK}}, events.Launch((TASK,), group=False)),
        (
            {"type": "LAUNCH_GROUP", "launch_group": {"task_group": {"tasks": [TASK, TASK]}}},
            events.Launch((TASK, TASK), group=True),
        ),
        ({"type": "KILL", "kill": {"task_id": {"value": "t"}}}, events.Kill(TaskId("t"), None)),
        (
            {
                "type": "KILL",
                "kill": {"task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": 7500000000}}},
            },
            events.Kill(TaskId("t"), 7.5),
        ),
        (
            {"type": "KILL", "kill": {"task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": 0}}}},
            events.Kill(TaskId("t"), 0.0),
        ),
        (
            {"type": "KILL", "kill": {"task_id": {"value": "t"}, "kill_policy": {}}},
            events.Kill(TaskId("t"), None),
        ),
        ({"type": "MESSAGE", "message": {"data": "cGluZwA="}}, events.Message(b"ping\0")),
        (
            {"type": "ACKNOWLEDGED", "acknowledged": {"task_id": {"value": "t"}, "uuid": "T8Ac+579SviaLqoZ/ruscA=="}},
            events.Acknowledged(TaskId("t"), "T8Ac+579SviaLqoZ/ruscA=="),
        ),
        ({"type": "ERROR", "error": {"message": "no"}}, events.AgentError("no")),
        ({"type": "SHUTDOWN"}, events.Shutdown(3.0, "the agent asked for it")),
        ({"type": "HEARTBEAT"}, events.Heartbeat()),
        ({"type": "TELEPORT"}, events.Unknown("TELEPORT")),
        ({}, events.Unknown("None")),
    ],
)
def test_events(event: dict[str, Any], expected: Received) -> None:
    assert read(event) == expected


def test_subscribed() -> None:
    body = {
        "executor_info": {"executor_id": {"value": "e1"}, "data": "ZXhlAGRhdGE="},
        "framework_info": {"capabilities": [{"type": "PARTITION_AWARE"}]},
        "agent_info": {"id": {"value": "S0"}},
        "container_id": {"value": "c0"},
    }
    event = read({"type": "SUBSCRIBED", "subscribed": body})
    assert isinstance(event, events.Subscribed)
    assert (event.executor_info, event.framework_info) == (body["executor_info"], body["framework_info"])
    assert (event.agent_info, event.container_id) == (body["agent_info"], "c0")
    assert not event.resubscribed


@pytest.mark.parametrize(
    "event",
    [
        {"type": "LAUNCH"},
        {"type": "LAUNCH", "launch": {"task": {"task_id": {"value": 7}}}},
        {"type": "LAUNCH", "launch": []},
        {"type": "LAUNCH_GROUP", "launch_group": {"task_group": {}}},
        {"type": "KILL", "kill": {"task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": "x"}}}},
        {"type": "MESSAGE", "message": {"data": "not base64!"}},
        {"type": "ACKNOWLEDGED", "acknowledged": {"task_id": {"value": "t"}}},
        {"type": "SUBSCRIBED", "subscribed": {"executor_info": {}}},
    ],
)
def test_an_event_without_its_form_is_a_failure_that_names_its_type(event: dict[str, Any]) -> None:
    with pytest.raises(MesosFailure) as failure:
        read(event)
    assert event["type"] in failure.value.subject


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["task", "task_id", "value", "tasks", "task_group", "data", "uuid"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
TYPES = st.sampled_from(
    ["LAUNCH", "LAUNCH_GROUP", "KILL", "MESSAGE", "ACKNOWLEDGED", "ERROR", "SUBSCRIBED", "SHUTDOWN"]
)


@given(TYPES, JSON)
def test_any_json_is_an_event_or_a_mesos_failure(kind: str, body: object) -> None:
    with contextlib.suppress(MesosFailure):
        read({"type": kind, kind.lower(): body})
