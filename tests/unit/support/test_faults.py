"""Faults by a seed: the same in each run, as many as were asked for, and counted over processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.support.faults import Faults, Plan

KINDS = ("fail", "cut")
PLAN = Plan(seed=7, rate=0.25, kinds=KINDS, longest_s=2.0)


def test_a_seed_gives_the_same_faults_again_and_another_one_others() -> None:
    found = [PLAN.fault("Tasks/Create", number) for number in range(400)]
    assert found == [PLAN.fault("Tasks/Create", number) for number in range(400)]
    assert found != [Plan(8, 0.25, KINDS, 2.0).fault("Tasks/Create", number) for number in range(400)]
    assert found != [PLAN.fault("Tasks/Start", number) for number in range(400)]


def test_as_many_as_the_rate_says_of_every_kind() -> None:
    found = [fault for number in range(1000) if (fault := PLAN.fault("any", number)) is not None]
    assert 200 < len(found) < 300
    assert min(Counter(fault.kind for fault in found).values()) > 80
    assert all(0 <= fault.seconds <= 2 for fault in found)


def test_only_the_names_that_are_meant() -> None:
    plan = Plan(1, 1.0, KINDS, only=("Tasks/",))
    assert plan.fault("/containerd.services.tasks.v1.Tasks/Create", 0) is not None
    assert plan.fault("/containerd.services.leases.v1.Leases/Create", 0) is None


def test_calls_are_counted_by_all_that_share_the_directory(tmp_path: Path) -> None:
    first, second = Faults(tmp_path), Faults(tmp_path)
    assert first.next("a") is None, "no plan"
    first.set(Plan(1, 1.0, KINDS))
    for faults in (first, second, first):
        assert faults.next("a/b") is not None
    assert [each["number"] for each in second.injected()] == [0, 1, 2]
    second.set(None)
    assert first.next("a/b") is None
