"""What the lender hears, and what it is told by executors that answer oddly."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any

import pytest

from executor.errors import Failure, NotFound
from executor.lending import feeds
from executor.lending.decision import Return
from executor.lending.files import alone, is_held, read, write
from executor.lending.returning import Answered, Failed, Returning
from executor.mesos.operator import Operator
from executor.names import ExecutorId, FrameworkId, TaskId
from tests.unit.mesos.test_operator import Handler, server

GOOD = (FrameworkId("f"), ExecutorId("good"))
ODD = (FrameworkId("f"), ExecutorId("odd"))
POD = {"pod": "pod-1", "tasks": ["t"], "priority": 3, "lost_work_s": 60.0, "overshoot": 0.5, "ending": False}
KEY = FrameworkId("f"), TaskId("t")


@pytest.mark.parametrize(
    "odd",
    [{}, {**POD, "priority": None}, {**POD, "tasks": 5}, {**POD, "lost_work_s": "x"}, "text", {**POD, "pod": 1e400}],
)
def test_an_executor_that_answers_oddly_hides_no_other_one(odd: Any) -> None:
    heard: list[Any] = []
    feed = feeds.ExecutorFeed(lambda: {ODD: [odd], GOOD: [POD]}, heard.append)
    feed.wake.set()
    feed.ask()
    (known,) = heard
    assert GOOD in known.answered and known.facts[KEY].priority == 3


def test_a_source_that_fails_is_asked_again() -> None:
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    count = 0

    def work() -> None:
        nonlocal count
        count += 1
        asked.put(count)
        if count < 3:
            raise Failure("is away")
        threading.Event().wait()

    heard: list[Any] = []
    feeds.forever("test", work, heard.append)
    assert [asked.get(timeout=10) for _ in range(3)] == [1, 2, 3]
    assert heard == [feeds.Behind("test", "is away")] * 2, "lending now shows why"


def test_only_tasks_of_this_agent_are_heard() -> None:
    def task(agent: str, name: str) -> dict[str, Any]:
        ids = {"task_id": {"value": name}, "framework_id": {"value": "f"}, "agent_id": {"value": agent}}
        return {"type": "TASK_ADDED", "task_added": {"task": ids}}

    def ended(agent: str, name: str, state: str) -> dict[str, Any]:
        status = {"task_id": {"value": name}, "agent_id": {"value": agent}, "state": state}
        return {
            "type": "TASK_UPDATED",
            "task_updated": {"framework_id": {"value": "f"}, "state": state, "status": status},
        }

    def master(handler: Handler, _: str) -> None:
        state = {"get_state": {"get_tasks": {"tasks": [{"odd": object.__name__}]}}}
        handler.stream(
            {"type": "SUBSCRIBED", "subscribed": state},
            task("S0", "mine"), task("S1", "other"), {"type": "HEARTBEAT"},
            ended("S0", "mine", "TASK_RUNNING"), ended("S1", "other", "TASK_KILLED"), ended("S0", "mine", "TASK_GONE"),
        )  # fmt: skip

    heard: list[Any] = []
    with server(master) as endpoint, pytest.raises(Failure):
        feeds.MasterFeed([Operator(endpoint)], lambda: "S0", heard.append).follow()
    assert [type(each).__name__ for each in heard] == ["Master", "Added", "Ended", "Master"]
    assert heard[1].task.key == heard[2].key == (FrameworkId("f"), TaskId("mine"))
    assert (heard[0].there, heard[3].there) == (True, False)


def test_an_agent_that_has_not_answered_is_named_once() -> None:
    """What else would ask it fails for the same cause: a master given as the agent is one warning."""
    calls: queue.SimpleQueue[str] = queue.SimpleQueue()

    def agent(handler: Handler, kind: str) -> None:
        calls.put(kind)
        handler.reply(200, b'{"get_containers": {}}')

    with server(agent) as endpoint:
        asked, heard = Operator(endpoint), list[Any]()
        feed = feeds.AgentFeed(asked, heard.append, 1.0)
        use = feeds.UseFeed(asked, feed, heard.append, 0.0)
        thread = threading.Thread(target=use.ask, daemon=True)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and calls.empty()
        feed.id = "S0"
        thread.join(10)
        assert calls.get(timeout=10) == "GET_CONTAINERS" and heard == [feeds.Used({})]


RECEIPT = {"id": "r", "state": "done", "victims": [], "freed": {"cpus": 1.0}}
STUCK = {**RECEIPT, "victims": [{"outcome": "stuck", "tasks": ["t"]}, {"outcome": "killed", "tasks": ["u"]}]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (RECEIPT, Answered()),
        (STUCK, Answered((KEY,))),
        (NotFound("ended"), Answered()),
        (Failure("does not answer"), Failed(GOOD, (KEY,))),
        ({}, Failed(GOOD, (KEY,))),
        ({**RECEIPT, "victims": [{}]}, Failed(GOOD, (KEY,))),
        ({**RECEIPT, "freed": None}, Failed(GOOD, (KEY,))),
    ],
)
def test_what_comes_of_a_question_is_heard(answer: Any, expected: object) -> None:
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    bodies: list[Any] = []

    def revoke(_: object, body: Any) -> Any:
        bodies.append(body)
        if isinstance(answer, Exception):
            raise answer
        return answer

    Returning(revoke, heard.put, 1.5).begin(Return(GOOD, (KEY,), "why" * 1000))
    assert heard.get(timeout=10) == expected
    (body,) = bodies
    assert body["select"] == {"tasks": ["t"]} and body["grace"] == "1.5s" and len(body["reason"]) <= 1024


def test_the_lock_and_the_files_of_a_lender(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lending")
    with alone(tmp_path / "lending"):
        assert is_held(tmp_path / "lending")
        with pytest.raises(Exception, match="another lender"), alone(tmp_path / "lending"):
            pass
    assert not is_held(tmp_path / "lending")
    assert read(tmp_path / "x") == ""
    write(tmp_path / "x", "text\n")
    assert read(tmp_path / "x") == "text" and (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    (tmp_path / "y").write_bytes(b"\xff")
    assert read(tmp_path / "y") == ""
