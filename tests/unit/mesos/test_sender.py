"""What the agent's answers to a call mean."""

from __future__ import annotations

import pytest

from executor.mesos.outbox import MESSAGES_MAX, Outbox
from executor.mesos.sender import Verdict, judge


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (202, Verdict.ACCEPTED),
        (200, Verdict.ACCEPTED),
        (503, Verdict.LATER),
        (500, Verdict.LATER),
        (404, Verdict.LATER),
        (401, Verdict.LATER),
        (403, Verdict.LATER),
        (307, Verdict.LATER),
        (400, Verdict.REFUSED),
        (415, Verdict.REFUSED),
    ],
)
def test_answers(status: int, verdict: Verdict) -> None:
    assert judge(status) is verdict


def test_messages_are_bounded_and_the_oldest_makes_room() -> None:
    outbox = Outbox()
    assert all(outbox.put_message({"data": str(number)}) for number in range(MESSAGES_MAX))
    assert not outbox.put_message({"data": "one too many"})
    outbox.open()
    first = outbox.take()
    assert first is not None
    assert first.body == {"data": "1"}


def test_updates_go_before_messages_and_nothing_goes_while_on_hold() -> None:
    outbox = Outbox()
    outbox.put_message({"data": "m"})
    outbox.put_update({"uuid": "u", "task_id": {"value": "t"}, "state": "TASK_RUNNING"})
    outbox.open()
    taken = []
    for _ in range(2):
        call = outbox.take()
        assert call is not None
        taken.append(call.type)
        outbox.sent(call)
    assert taken == ["UPDATE", "MESSAGE"]
    outbox.close()
    assert outbox.take() is None
