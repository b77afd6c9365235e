"""Some hours of a few machines with the faults of a month: tests/soak/month has what is simulated and what holds."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from tests.soak.month.cluster import simulate
from tests.soak.month.node import BrokenRuleError
from tests.soak.month.outcome import Outcome
from tests.soak.month.rates import Rates
from tests.soak.month.scheduler import SimScheduler

RATES = replace(Rates().hurried(60), kill_failures_part=0.2, stuck_part=0.02)
MET = (
    *("kill: failed", "process: stuck", "process: ended for memory", "log: pod.probe_failed", "launch: group"),
    *("receipt: done", "receipt: stuck", "revocation: repeated"),
)
"""What a month has often, and some hours of it rarely."""
SEEDS = (6, *range(12))
"""The first had all of it in its run when this was written."""


def hours(seed: int) -> Outcome:
    return simulate(seed, machines=2, hours=0.7, rates=RATES)


known = functools.cache(hours)


def test_each_task_has_its_end_and_a_seed_repeats_a_run() -> None:
    found = known(SEEDS[0])
    assert found == hours(SEEDS[0])
    assert sum(found.ends.values()) == found.tasks > 150
    assert {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_GONE"} <= set(found.ends)
    assert found.faults > 40


def test_what_a_month_has_happens() -> None:
    missing = set(MET)
    for seed in SEEDS:
        missing -= set(known(seed).counts)
        if not missing:
            return
    raise AssertionError(f"no run has {missing}")


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        (["TASK_RUNNING", "TASK_FINISHED", "TASK_KILLED"], "is TASK_KILLED after it was TASK_FINISHED"),
        (["TASK_FINISHED", "TASK_RUNNING"], "is TASK_RUNNING after it was TASK_FINISHED"),
        (["TASK_KILLING", "TASK_RUNNING"], "is TASK_RUNNING too late"),
    ],
)
def test_what_mesos_promises_is_checked(updates: list[str], words: str) -> None:
    scheduler = SimScheduler()
    scheduler.launch("t", revocable=False)
    *good, bad = updates
    for number, state in enumerate(good):
        scheduler.update("t", state, str(number))
    with pytest.raises(BrokenRuleError, match=words):
        scheduler.update("t", bad, "bad")


def test_the_same_update_may_come_again_and_a_regular_task_is_never_revoked() -> None:
    scheduler = SimScheduler()
    scheduler.launch("t", revocable=False)
    for _ in range(2):
        scheduler.update("t", "TASK_RUNNING", "1")
    assert scheduler.open() == ["t"]
    with pytest.raises(BrokenRuleError, match="is regular and was revoked"):
        scheduler.update("t", "TASK_GONE", "2", "REASON_CONTAINER_PREEMPTED")
