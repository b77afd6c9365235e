"""Ids for people."""

from __future__ import annotations

from executor.cli.printing import units


def test_the_executors_of_a_pair_differ() -> None:
    pair = [f"{name}-{kind}" for name in ("mesos-pod-executor", "spark" * 9) for kind in ("regular", "revocable")]
    shown = [units.identity(each) for each in pair]
    assert shown[:2] == pair[:2] and len(set(shown)) == len(pair)
    assert all(len(each) <= 30 for each in shown)
