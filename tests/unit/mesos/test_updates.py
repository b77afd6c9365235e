"""The book of what is not acknowledged: nothing lost, nothing twice, in order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from executor.mesos.updates import Unacknowledged


def task(task_id: str) -> dict[str, Any]:
    return {"task_id": {"value": task_id}}


def update(task_id: str, uuid: str, state: str = "TASK_RUNNING") -> dict[str, Any]:
    return {"task_id": {"value": task_id}, "uuid": uuid, "state": state}


def sent_in_order(ledger: Unacknowledged) -> list[str]:
    """Everything unsent, sent."""
    found = []
    while (status := ledger.next_unsent()) is not None:
        found.append(status["uuid"])
        ledger.sent(status["uuid"])
    return found


def test_updates_wait_in_order_and_stay_until_acknowledged() -> None:
    ledger = Unacknowledged()
    for uuid in "abc":
        ledger.add(update("t", uuid))
    assert sent_in_order(ledger) == ["a", "b", "c"]
    assert len(ledger) == 3
    assert ledger.acknowledged("b") == update("t", "b")
    assert list(ledger.carry()[1]) == ["a", "c"]


def test_what_subscribe_carried_is_not_sent_again() -> None:
    ledger = Unacknowledged()
    ledger.add(update("t", "a"))
    ledger.add(update("t", "b"))
    ledger.sent("a")
    assert ledger.carry()[1] == {"a": {"status": update("t", "a")}, "b": {"status": update("t", "b")}}
    assert ledger.next_unsent() is None
    ledger.add(update("t", "c"))
    assert sent_in_order(ledger) == ["c"]
    assert list(ledger.carry()[1]) == ["a", "b", "c"]


def test_an_uuid_is_settled_once() -> None:
    ledger = Unacknowledged()
    ledger.add(update("t", "a"))
    assert ledger.acknowledged("a") is not None
    assert ledger.acknowledged("a") is None
    assert ledger.acknowledged("never seen") is None


def test_a_task_is_carried_until_any_update_is_acknowledged_and_known_until_the_terminal_one_is() -> None:
    ledger = Unacknowledged()
    assert ledger.launched([task("t"), task("u")]) == []
    ledger.add(update("t", "a"))
    ledger.add(update("t", "z", "TASK_FINISHED"))
    assert list(ledger.carry()[0]) == ["t", "u"]
    ledger.acknowledged("a")
    assert list(ledger.carry()[0]) == ["u"]
    assert ledger.launched([task("t")]) == ["t"]
    ledger.acknowledged("z")
    assert ledger.launched([task("t")]) == []


def test_the_terminal_update_may_be_acknowledged_first() -> None:
    ledger = Unacknowledged()
    ledger.launched([task("t")])
    ledger.add(update("t", "a"))
    ledger.add(update("t", "z", "TASK_KILLED"))
    ledger.acknowledged("z")
    assert list(ledger.carry()[0]) == []
    assert list(ledger.carry()[1]) == ["a"]
    ledger.acknowledged("a")
    assert len(ledger) == 0


def test_a_dropped_update_is_gone() -> None:
    ledger = Unacknowledged()
    ledger.add(update("t", "a"))
    ledger.drop("a")
    assert (len(ledger), ledger.next_unsent(), ledger.carry()[1]) == (0, None, {})


def test_nothing_is_kept_of_a_task_whose_terminal_update_is_dropped() -> None:
    ledger = Unacknowledged()
    ledger.launched([task("t"), task("u")])
    ledger.add(update("t", "z", "TASK_FAILED"))
    ledger.drop("z")
    assert list(ledger.carry()[0]) == ["u"]
    assert ledger.launched([task("t")]) == []
    assert ledger.add(update("t", "b"))


class Agent(RuleBasedStateMachine):
    """Any order of sending, losing and acknowledging: every update reaches the agent, in the order it was made."""

    updates = Bundle("updates")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Unacknowledged()
        self.made: list[str] = []
        self.received: list[str] = []
        self.open: set[str] = set()

    def arrive(self, uuids: list[str]) -> None:
        self.received += [uuid for uuid in uuids if uuid not in self.received]

    @rule(target=updates)
    def make(self) -> str:
        uuid = str(len(self.made))
        self.made.append(uuid)
        self.open.add(uuid)
        self.ledger.add(update("t", uuid))
        return uuid

    @rule()
    def accepted(self) -> None:
        if (status := self.ledger.next_unsent()) is not None:
            self.arrive([status["uuid"]])
            self.ledger.sent(status["uuid"])

    @rule(arrived=st.booleans())
    def subscribe(self, arrived: bool) -> None:
        carried = list(self.ledger.carry()[1])
        assert carried == [uuid for uuid in self.made if uuid in self.open]
        assert self.ledger.next_unsent() is None
        if arrived:
            self.arrive(carried)
        else:
            self.subscribe(arrived=True)

    @rule(uuid=updates)
    def acknowledge(self, uuid: str) -> None:
        if uuid in self.received:
            assert (self.ledger.acknowledged(uuid) is not None) == (uuid in self.open)
            self.open.discard(uuid)

    @invariant()
    def nothing_lost_and_in_order(self) -> None:
        assert self.received == self.made[: len(self.received)]
        unsent = self.ledger.next_unsent()
        assert (unsent["uuid"] if unsent else None) == next(iter(self.made[len(self.received) :]), None)
        assert len(self.ledger) == len(self.open)


TestAgent = Agent.TestCase


@given(st.permutations(range(5)))
def test_acknowledgements_may_come_in_any_order(order: list[int]) -> None:
    ledger = Unacknowledged()
    for number in range(5):
        ledger.add(update("t", str(number)))
    for count, number in enumerate(order, 1):
        assert ledger.acknowledged(str(number)) == update("t", str(number))
        assert len(ledger) == 5 - count


def test_nothing_follows_a_terminal_update_until_the_task_is_launched_again() -> None:
    ledger = Unacknowledged()
    assert ledger.add(update("t", "end", "TASK_FINISHED"))
    assert not ledger.add(update("t", "late")) and not ledger.add(update("t", "twice", "TASK_GONE"))
    assert ledger.add(update("u", "other"))
    assert sent_in_order(ledger) == ["end", "other"]
    ledger.launched([task("t")])
    assert ledger.add(update("t", "again"))


def test_an_update_that_is_refused_is_reduced_once() -> None:
    ledger = Unacknowledged()
    whole = update("t", "a", "TASK_FAILED") | {"message": "why", "reason": "REASON_OF_A_NEWER_MESOS", "data": "eA=="}
    ledger.add(whole)
    assert ledger.reduce("a")
    assert ledger.next_unsent() == update("t", "a", "TASK_FAILED") | {"message": "why"}
    assert not ledger.reduce("a") and not ledger.reduce("unknown")
