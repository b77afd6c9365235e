"""The lender's decisions, over any order of what the agent, the master and the executors say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from executor.lending.accounts import Kind
from executor.lending.amount import NOTHING, Amount
from executor.lending.book import RETRY_S, STARTING_S, Book
from executor.lending.decision import Decision, Facts, Terms
from executor.lending.node import Holding, NodeState, Task
from executor.lending.policy import Policy, Quota
from executor.names import ExecutorId, Role, TaskId
from tests.unit.lending.nodes import BATCH, MASTER, NODE, POLICY, SPARK, loan, owned


def book(*tasks: Task, master: bool = True, **terms: float) -> Book:
    made = Book(POLICY, Terms(**{"grow_after_s": 5.0, **terms}), master=master)  # type: ignore[arg-type]
    state(made, 0.0, *tasks)
    return made


def state(made: Book, at_s: float, *tasks: Task) -> Decision:
    made.take_state(NodeState(NODE.agent, NODE.total, NODE.reserved, tasks), at_s, at_s)
    return made.decide(at_s, 1e9 + at_s)


def asked(decision: Decision) -> list[str]:
    return [key[1] for each in decision.returns for key in each.keys]


def test_the_unused_part_of_a_reservation_is_offered_slowly() -> None:
    made = book(owned("a", 1000, 48))
    assert made.decide(4.9, 1e9).offer == NOTHING
    assert made.decide(5.0, 1e9).offer == Amount(3000, 2000)


def test_the_owners_task_takes_it_back_before_its_agent_knows_it() -> None:
    made = book()
    state(made, 6.0, loan("p1", 1500), loan("p2", 1500), loan("p3", 1000))
    priorities = {"p1": 5, "p2": 0, "p3": 9}
    made.take_facts({(MASTER, TaskId(name)): Facts(f"pod-{name}", each) for name, each in priorities.items()}, [])
    made.take_added(owned("exec-1", 1000), 7.0)
    decision = made.decide(7.0, 1e9)
    assert decision.offer == Amount(3000, 2048)
    assert asked(decision) == ["p2"]
    (wanted,) = decision.returns
    assert wanted.executor == (MASTER, "pods")
    assert wanted.reason == "role spark needs its resources for task exec-1 of framework f"
    assert made.decide(7.1, 1e9).returns == ()
    gone = state(made, 8.0, owned("exec-1", 1000), loan("p1", 1500), loan("p3", 1000))
    assert gone.returns == () and [entry.kind for entry in gone.entries] == [Kind.RETURNED]


def test_a_loan_that_is_still_held_is_asked_for_again() -> None:
    made = book()
    state(made, 6.0, loan("p1", 4000))
    made.take_added(owned("exec-1", 1000), 7.0)
    first = made.decide(7.0, 1e9)
    assert asked(first) == ["p1"] and [entry.kind for entry in first.entries] == [Kind.ASKED]
    assert asked(made.decide(7.0 + RETRY_S - 0.1, 1e9)) == []
    again = made.decide(7.0 + RETRY_S, 1e9)
    assert asked(again) == ["p1"] and again.entries == ()


def test_a_lender_that_starts_again_asks_the_same_ones() -> None:
    made = book()
    tasks = [loan(f"p{number}", 1000) for number in range(4)]
    state(made, 6.0, *tasks)
    made.take_facts({task.key: Facts(f"pod-{number}", 9 - number) for number, task in enumerate(tasks)}, [])
    made.take_added(owned("exec-1", 1000), 7.0)
    assert asked(made.decide(7.0, 1e9)) == ["p3"]
    again = Book(POLICY, Terms(grow_after_s=5.0), made.accounts, master=True)
    decision = state(again, 8.0, owned("exec-1", 1000), *tasks)
    assert asked(decision) == ["p3"] and decision.entries == ()


def test_a_pod_that_ends_slowly_is_hastened_and_no_other_one_is_taken() -> None:
    made = book(grace_s=60.0)
    state(made, 6.0, loan("slow", 2000), loan("cheap", 2000))
    made.take_facts(
        {(MASTER, TaskId("slow")): Facts("pod-slow", 100, ending=True), (MASTER, TaskId("cheap")): Facts("pod-cheap")},
        [],
    )
    made.take_added(owned("exec-1", 1000), 7.0)
    assert asked(made.decide(7.0, 1e9)) == ["slow"]
    assert asked(made.decide(7.0 + 60, 1e9)) == []
    assert asked(made.decide(7.0 + 60 + RETRY_S, 1e9)) == ["slow"]


def test_others_return_in_the_place_of_what_cannot() -> None:
    made = book()
    tasks = (loan("deaf", 2000, executor="deaf"), loan("ok", 1000), loan("command", 1000, executor=""))
    decision = state(made, 6.0, *tasks)
    assert [key[1] for key in decision.unreachable] == ["command"]
    made.take_facts({(MASTER, TaskId("ok")): Facts("pod-ok", priority=9)}, [])
    made.take_added(owned("exec-1", 1000), 7.0)
    assert asked(made.decide(7.0, 1e9)) == ["deaf"]
    made.take_failure((MASTER, ExecutorId("deaf")), [(MASTER, TaskId("deaf"))])
    assert made.wants_facts()
    assert asked(made.decide(7.1, 1e9)) == ["ok"]
    made.take_facts({}, [(MASTER, ExecutorId("deaf"))])
    made.take_added(owned("exec-2", 1000), 8.0)
    assert asked(made.decide(8.0, 1e9)) == ["deaf"]


def test_an_executor_with_loans_and_regular_tasks_is_named() -> None:
    made = book()
    regular = Task((MASTER, TaskId("web")), ExecutorId("pods"), Holding(BATCH))
    assert state(made, 1.0, regular, owned("a", 1000)).mixed == frozenset()
    assert state(made, 2.0, regular, loan("p", 100)).mixed == {(MASTER, "pods")}


def test_a_stuck_victim_costs_another_one() -> None:
    made = book()
    state(made, 6.0, loan("p1", 2000), loan("p2", 2000))
    made.take_added(owned("exec-1", 1000), 7.0)
    (victim,) = asked(made.decide(7.0, 1e9))
    made.take_stuck([(MASTER, TaskId(victim))])
    (other,) = asked(made.decide(7.1, 1e9))
    assert other != victim


def quota_book(**quotas: int) -> Book:
    policy = Policy((SPARK,), {}, {Role(role): Quota(millicpus=cpus) for role, cpus in quotas.items()})
    made = Book(policy, Terms(grow_after_s=5.0), master=True)
    state(made, 0.0)
    return made


def test_a_loan_that_cannot_return_counts_for_its_quota() -> None:
    made = quota_book(batch=2000)
    assert asked(state(made, 6.0, loan("deaf", 1000, executor="deaf"), loan("p1", 1000))) == []
    made.take_failure((MASTER, ExecutorId("deaf")), [])
    decision = state(made, 7.0, loan("deaf", 1000, executor="deaf"), loan("p1", 1000), loan("p2", 1000))
    assert len(asked(decision)) == 1 and "over its quota" in decision.returns[0].reason


def test_a_quota_is_of_loans_and_not_of_what_executors_hold() -> None:
    made, own = quota_book(batch=1000), Holding(BATCH, {}, Amount(100), NOTHING)
    node = NodeState(NODE.agent, NODE.total, NODE.reserved, (loan("p1", 1000),), {(MASTER, ExecutorId("pods")): own})
    made.take_state(node, 6.0, 6.0)
    assert made.decide(6.0, 1e9).returns == ()


def test_only_a_role_over_its_quota_hears_of_it() -> None:
    made = quota_book(batch=1000)
    tasks = loan("p1", 1000), loan("p2", 1000), loan("d", 2000, role=Role("dev"))
    made.take_added(owned("exec-1", 3000), 6.0)
    reasons = {str(key[1]): each.reason for each in state(made, 6.1, *tasks).returns for key in each.keys}
    assert "d" in reasons and "needs its resources for task exec-1" in reasons["d"]
    assert all("role batch is over its quota" in reason for task, reason in reasons.items() if task != "d")
    assert len(reasons) > 1


def test_nothing_new_is_borrowed_while_the_master_is_away() -> None:
    made = book(master=False)
    assert made.decide(100.0, 1e9).offer == NOTHING
    made.master = True
    assert made.decide(101.0, 1e9).offer == NOTHING
    assert made.decide(106.0, 1e9).offer == Amount(4000, 2048)
    held = state(made, 107.0, loan("p1", 1000))
    assert held.offer == Amount(4000, 2048)
    made.master = False
    away = made.decide(108.0, 1e9)
    assert away.offer == Amount(1000) and away.returns == ()


def test_a_lender_that_starts_again_offers_what_is_borrowed_and_asks_for_nothing() -> None:
    made = book(loan("p1", 1000))
    again = made.decide(0.1, 1e9)
    assert again.offer == Amount(1000) and again.returns == ()


def test_an_older_answer_brings_no_ended_task_back() -> None:
    made = book(loan("p1", 1000))
    made.take_ended((MASTER, TaskId("p1")), 2.0)
    assert [entry.kind for entry in made.decide(2.0, 1e9).entries] == [Kind.RETURNED]
    made.take_state(NodeState(NODE.agent, NODE.total, NODE.reserved, (loan("p1", 1000),)), asked_s=1.9, now_s=2.1)
    assert made.decide(2.1, 1e9).entries == ()
    made.take_state(NodeState(NODE.agent, NODE.total, NODE.reserved, (loan("p1", 1000),)), asked_s=2.2, now_s=2.3)
    assert [entry.kind for entry in made.decide(2.3, 1e9).entries] == [Kind.BORROWED]


def test_an_announced_task_that_never_comes_is_forgotten() -> None:
    made = book()
    made.take_added(owned("lost", 1000), 1.0)
    state(made, 2.0)
    assert made.decide(20.0, 1e9).offer == Amount(3000, 2048)
    state(made, 32.0)
    assert made.decide(38.0, 1e9).offer == Amount(4000, 2048)


def test_what_an_executor_borrows_itself_returns_with_it_only() -> None:
    made = book()
    held = Holding(BATCH, {}, Amount(3500), NOTHING)
    node = NodeState(NODE.agent, NODE.total, NODE.reserved, (loan("p1", 500),), {(MASTER, ExecutorId("pods")): held})
    made.take_state(node, 6.0, 6.0)
    assert made.decide(6.0, 1e9).returns == ()
    made.take_added(owned("exec-1", 4000), 7.0)
    assert asked(made.decide(7.0, 1e9)) == ["p1"]


def test_cpus_that_are_held_and_not_used_are_offered_by_use_only() -> None:
    executor = MASTER, ExecutorId("x")
    node = NodeState(NODE.agent, NODE.total, NODE.reserved, (owned("a", 4000),), {executor: Holding(SPARK)})

    def lender(**terms: Any) -> Book:
        made = Book(POLICY, Terms(grow_after_s=5.0, **terms), master=True)
        made.take_state(node, 0.0, 0.0)
        made.decide(0.0, 1e9)
        return made

    made = lender()
    made.take_use({executor: 0.0}, 0.0)
    made.take_use({executor: 0.0}, 1e6)
    made.decide(1e6, 1e9)
    assert made.decide(1e6 + 6, 1e9).offer == Amount(0, 2048)
    made = lender(by_use=True, margin_percent=50)
    made.take_use({executor: 1000.0}, 0.0)
    assert made.decide(6.0, 1e9).offer.millicpus == 0
    made.take_use({executor: 1000.0}, 1e6)
    made.decide(1e6, 1e9)
    assert made.decide(1e6 + 6, 1e9).offer.millicpus == 2500
    made.take_use({executor: 2000.0}, 1e6 + 7)
    assert made.decide(1e6 + 7, 1e9).offer.millicpus == 1000


@given(st.lists(st.integers(1, 4000), max_size=6), st.integers(0, 4000))
def test_what_is_asked_for_is_enough(cpus: list[int], wanted: int) -> None:
    made = book()
    tasks = [loan(f"p{number}", each) for number, each in enumerate(cpus)]
    state(made, 6.0, *tasks)
    made.take_added(owned("exec", wanted), 6.5)
    made.decide(6.5, 1e9)
    freed = sum(each for number, each in enumerate(cpus) if (MASTER, f"p{number}") in made._asked)
    assert sum(cpus) - freed <= 4000 - wanted


def test_an_owner_without_a_reservation_here_is_named() -> None:
    made = Book(Policy((SPARK, Role("sprak"))), Terms(), master=True)
    assert made.decide(0.0, 1e9).unreserved == frozenset(), "nobody knows before the agent has answered"
    assert state(made, 1.0).unreserved == {"sprak"}
    below = replace(NODE, reserved={Role("spark/etl"): Amount(1000)})
    made.take_state(below, 2.0, 2.0)
    assert made.decide(2.0, 1e9).unreserved == {"sprak"}


def test_the_owners_task_is_the_cause_also_where_only_the_agent_names_it() -> None:
    made = book(loan("p1", 4000), master=False)
    (wanted,) = state(made, 6.0, loan("p1", 4000), owned("exec-1", 1000)).returns
    assert wanted.reason == "role spark needs its resources for task exec-1 of framework f"


def test_a_lender_that_starts_names_the_owners_that_use_their_resources() -> None:
    made = Book(Policy((Role("idle"), SPARK)), Terms(), master=True)
    (wanted,) = state(made, 0.0, loan("p1", 4000), owned("exec-1", 1000), owned("exec-2", 1000)).returns
    assert wanted.reason == "the owners need their resources: spark"


def test_an_executor_that_has_just_been_launched_is_no_fault() -> None:
    """A rule asks a loan back at once, before its executor has a control socket."""
    made = book()
    new = loan("new", 1000, executor="new")
    state(made, 6.0, new)
    made.take_failure(new.executor_key, [new.key])
    assert made.decide(6.1, 1e9 + 6.1).unreachable == ()
    assert made.decide(6.0 + STARTING_S, 1e9 + 6.0 + STARTING_S).unreachable == (new.key,)
    made.take_facts({new.key: Facts("pod-new")}, [new.executor_key])
    assert made.decide(40.0, 1e9 + 40.0).unreachable == ()


def test_an_executor_that_answered_once_and_hangs_is_named_at_once() -> None:
    made = book()
    hung = loan("hung", 1000, executor="hung")
    state(made, 6.0, hung)
    made.take_facts({hung.key: Facts("pod-hung")}, [hung.executor_key])
    made.take_failure(hung.executor_key, [hung.key])
    assert made.decide(6.1, 1e9 + 6.1).unreachable == (hung.key,)
