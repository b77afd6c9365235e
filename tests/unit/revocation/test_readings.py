"""From two looks at the counters to rates, whatever came or went between them."""

from __future__ import annotations

from typing import Any

import pytest

from executor.revocation.readings import Borrowed, Sample, between

BORROWED = Borrowed(pods=1, victims=1, cpus=1.0, mem_bytes=1)


def sample(at_s: float, **fields: Any) -> Sample:
    return Sample(**({"at_s": at_s, "busy_s": 0.0, "revocable_s": 0.0} | fields))


def test_readings_are_rates_between_two_samples() -> None:
    before = sample(10, busy_s=100, revocable_s=5, protected_s={"/a": 1, "/b": 1}, cpu_stalls_s={"/a": 0, "/b": 0})
    after = sample(12, busy_s=114, revocable_s=9, protected_s={"/a": 3, "/b": 2}, cpu_stalls_s={"/a": 0.5, "/b": 1})
    now = between(before, after, capacity_cpus=8, borrowed=BORROWED)
    assert (now.revocable_cpus, now.rest_cpus, now.protected_cpus, now.cpu_stall_percent) == (2.0, 5.0, 1.5, 50.0)


def test_a_group_that_came_or_went_counts_for_nothing() -> None:
    before = sample(0, protected_s={"/gone": 50}, cpu_stalls_s={"/gone": 50})
    after = sample(1, protected_s={"/new": 70}, cpu_stalls_s={"/new": 70})
    now = between(before, after, capacity_cpus=8, borrowed=BORROWED)
    assert (now.protected_cpus, now.cpu_stall_percent) == (0.0, 0.0)


def test_the_node_counts_where_it_waits_longer() -> None:
    before, after = (
        sample(0, memory_stalls_s={"/a": 0}),
        sample(1, memory_stalls_s={"/a": 0.1}, node_memory_stall_s=0.3),
    )
    assert between(before, after, capacity_cpus=8, borrowed=BORROWED).memory_stall_percent == pytest.approx(30)


def test_nothing_is_negative_when_a_counter_goes_back() -> None:
    now = between(
        sample(0, busy_s=5, revocable_s=5), sample(1, busy_s=4, revocable_s=3), capacity_cpus=8, borrowed=BORROWED
    )
    assert (now.rest_cpus, now.revocable_cpus) == (0.0, 0.0)
