"""The one exit for status updates: what the framework can take, and the update that is held back."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.log import add_sink
from executor.names import TaskId
from executor.reporting.reporter import Reporter

TASK = TaskId("t1")
PARTITION_AWARE = {"capabilities": [{"type": "PARTITION_AWARE"}]}
CPUS = {"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}]}


class Driver:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def update(self, status: dict[str, Any]) -> None:
        self.sent.append((status["task_id"]["value"], status["state"]))


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.mark.parametrize(("framework", "state"), [({}, "TASK_LOST"), (PARTITION_AWARE, "TASK_DROPPED")])
def test_the_states_are_those_that_the_framework_can_take(
    driver: Driver, framework: dict[str, Any], state: str
) -> None:
    reporter = Reporter(driver)
    reporter.subscribed(CPUS, framework)
    reporter.drop([TASK])
    assert driver.sent == [("t1", state)]


def test_a_refusal_is_told_task_by_task(driver: Driver) -> None:
    Reporter(driver).refuse([TASK, TaskId("t2")], InvalidTask("names no image", subject="tasks[0]"))
    assert driver.sent == [("t1", "TASK_FAILED"), ("t2", "TASK_FAILED")]


def test_the_update_that_would_end_the_executor_is_held_until_it_may_go(driver: Driver) -> None:
    reporter = Reporter(driver)
    reporter.subscribed({}, {})
    reporter.launched([TASK])
    reporter.killed_before_launch([TASK])
    assert reporter.holds_last_update and driver.sent == []
    reporter.launched([TaskId("t2")])
    assert driver.sent == [("t1", "TASK_KILLED")], "a launch brings cpus"
    reporter.unknown(TaskId("t2"))
    assert reporter.holds_last_update
    assert reporter.release() == 1
    assert driver.sent[1:] == [("t2", "TASK_LOST")] and not reporter.holds_last_update


def test_an_update_is_in_the_log_before_the_driver_has_it() -> None:
    """With the uuid and the time that it keeps, also where it is held back."""
    seen: list[dict[str, Any]] = []
    order: list[str] = []

    class Watching:
        def update(self, status: dict[str, Any]) -> None:
            order.append(status["uuid"])
            assert [each["update"] for each in seen] == order

    remove = add_sink(lambda record: seen.append(dict(record)) if record.get("code") == "task.status" else None)
    try:
        reporter = Reporter(Watching())
        reporter.subscribed({}, {})
        reporter.launched([TASK])
        reporter.killed_before_launch([TASK])
        assert len(seen) == 1 and order == [], "held, and written down"
        reporter.release()
        reporter.unknown(TaskId("t9"))
    finally:
        remove()
    assert [(each["task"], each["state"]) for each in seen] == [("t1", "TASK_KILLED"), ("t9", "TASK_LOST")]
    assert seen[0]["text"] == "killed by the scheduler"
