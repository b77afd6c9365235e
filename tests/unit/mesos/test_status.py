"""TaskStatus as Mesos wants it."""

from __future__ import annotations

import pytest

from executor.mesos.status import (
    TERMINAL,
    Capabilities,
    TaskState,
    describe_exit,
    is_terminal,
    status,
)
from executor.names import TaskId

T1 = TaskId("t1")
AWARE = Capabilities(partition_aware=True, task_killing_state=True)
OLD = Capabilities()


def test_capabilities_are_read_from_the_framework_info() -> None:
    declared = {"capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}, {"type": "TASK_KILLING_STATE"}]}
    assert Capabilities.of(declared) == AWARE
    assert Capabilities.of({"name": "old"}) == OLD


def test_states_that_depend_on_the_framework() -> None:
    assert (AWARE.gone, OLD.gone) == (TaskState.GONE, TaskState.LOST)
    assert (AWARE.dropped, OLD.dropped) == (TaskState.DROPPED, TaskState.LOST)
    assert (AWARE.killing, OLD.killing) == (TaskState.KILLING, None)


@pytest.mark.parametrize(
    ("exit_code", "text"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (137, "terminated by SIGKILL"),
        (143, "terminated by SIGTERM"),
        (255, "exited with status 255"),
    ],
)
def test_an_exit_code_tells_of_a_signal(exit_code: int, text: str) -> None:
    assert describe_exit(exit_code) == text


def test_the_least_status() -> None:
    assert status(T1, TaskState.RUNNING) == {"task_id": {"value": "t1"}, "state": "TASK_RUNNING"}


def test_a_full_status() -> None:
    info = {"ip_addresses": [{"ip_address": "10.0.0.2"}]}
    full = status(
        T1,
        TaskState.GONE,
        reason="REASON_CONTAINER_PREEMPTED",
        message="m",
        labels={"revocation": "r1"},
        healthy=False,
        network_infos=[info],
        check_status={"type": "HTTP", "http": {"status_code": 200}},
        limitation=[{"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}],
        data=b"\0",
    )
    assert full == {
        "task_id": {"value": "t1"},
        "state": "TASK_GONE",
        "reason": "REASON_CONTAINER_PREEMPTED",
        "message": "m",
        "labels": {"labels": [{"key": "revocation", "value": "r1"}]},
        "healthy": False,
        "container_status": {"network_infos": [info]},
        "check_status": {"type": "HTTP", "http": {"status_code": 200}},
        "limitation": {"resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}]},
        "data": "AA==",
    }


def test_terminal_states_are_those_of_mesos() -> None:
    assert {state.value for state in TERMINAL} == {
        f"TASK_{name}" for name in ("FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE")
    }
    assert is_terminal("TASK_GONE")
    assert not is_terminal("TASK_KILLING")


def test_a_message_is_text_whatever_a_path_is() -> None:
    told = status(TaskId("t"), TaskState.FAILED, message="/mnt/caf\udce9: no such file")
    assert told["message"] == "/mnt/caf?: no such file"
