"""Whole units: what is offered is never more than there is, what is held never less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.lending.amount import Amount, total

SIZES = st.floats(0, 1e6)


@given(st.lists(st.tuples(SIZES, SIZES), max_size=20))
def test_what_is_offered_is_no_more_than_what_is_held(pairs: list[tuple[float, float]]) -> None:
    offered = total(Amount.offered(*pair) for pair in pairs)
    held = total(Amount.held(*pair) for pair in pairs)
    assert held.covers(offered)
    assert offered.cpus <= sum(cpus for cpus, _ in pairs) + 1e-3 * len(pairs)


def test_amounts_as_mesos_counts_them_are_exact() -> None:
    assert Amount.offered(0.1 + 0.2, 32) == Amount.held(0.3, 32) == Amount(300, 32)
    assert total([Amount.held(0.1, 0)] * 10) == Amount.offered(1, 0)


@given(*[st.builds(Amount, st.integers(0, 100), st.integers(0, 100))] * 2)
def test_beyond_and_least_part_an_amount(one: Amount, other: Amount) -> None:
    assert one.beyond(other) + one.least(other) == one
    assert one.covers(one.least(other)) and other.covers(one.least(other))
