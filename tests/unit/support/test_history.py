from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.mesos.history import Event, History, UnexpectedError


def _update(task_id: str, state: str) -> Event:
    status: dict[str, Any] = {"task_id": {"value": task_id}, "state": state}
    return Event(1.0, "UPDATE", {"update": {"status": status}})


def test_a_status_that_comes_later_is_waited_for() -> None:
    history = History()

    def tell() -> None:
        with history.changed:
            history.events += [_update("other", "TASK_RUNNING"), _update("t", "TASK_RUNNING")]
            history.changed.notify_all()

    timer = threading.Timer(0.02, tell)
    timer.start()
    assert history.wait_status("t", "TASK_RUNNING", timeout_s=5).task_id == "t"
    timer.join()


def test_another_terminal_state_ends_the_waiting_at_once_with_the_history() -> None:
    history = History()
    history.events += [_update("t", "TASK_STARTING"), _update("t", "TASK_FAILED")]
    with pytest.raises(UnexpectedError, match=r"(?s)became TASK_FAILED, not.*TASK_STARTING"):
        history.wait_status("t", "TASK_RUNNING", timeout_s=60)


def test_what_came_before_a_mark_does_not_count() -> None:
    history = History()
    history.events.append(_update("t", "TASK_RUNNING"))
    with pytest.raises(UnexpectedError, match="did not become"):
        history.wait_status("t", "TASK_RUNNING", timeout_s=0.01, start=history.mark())
