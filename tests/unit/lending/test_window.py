"""The offer shrinks at once and grows only to what was there for the whole window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.lending.amount import Amount
from executor.lending.window import SAMPLES_MAX, Window

AFTER_S = 10.0
AMOUNTS = st.builds(Amount, st.integers(0, 8), st.integers(0, 8))
STEPS = st.lists(st.tuples(st.floats(0, 4), AMOUNTS), max_size=60)


@given(AMOUNTS, STEPS)
def test_the_offer_is_the_least_of_the_window(first: Amount, steps: list[tuple[float, Amount]]) -> None:
    window, now_s = Window(first), 0.0
    seen: list[tuple[float, Amount]] = [(0.0, first)]  # until when each amount was the newest
    for passed_s, amount in steps:
        now_s += passed_s
        seen[-1] = now_s, seen[-1][1]
        seen.append((now_s, amount))
        window = window.sample(amount, now_s, AFTER_S)
        live = [each for until_s, each in seen[:-1] if until_s + AFTER_S > now_s] + [amount]
        least = Amount(min(each.millicpus for each in live), min(each.mem_mib for each in live))
        assert window.offer == least


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 10_000)), min_size=1, max_size=300))
def test_the_offer_is_never_above_the_surplus_and_the_window_is_bounded(steps: list[tuple[float, int]]) -> None:
    """Also where the clock goes backwards, and where the surplus grows with each sample."""
    window, now_s = Window(), 0.0
    for number, (passed_s, cpus) in enumerate(steps):
        now_s += passed_s / 100
        surplus = Amount(cpus + number * 100)
        window = window.sample(surplus, now_s, AFTER_S)
        assert surplus.covers(window.offer)
        assert len(window.steps) <= SAMPLES_MAX


def test_less_at_once_and_more_after_the_window() -> None:
    window = Window().sample(Amount(4000), 0.0, AFTER_S)
    assert window.offer == Amount()
    window = window.sample(Amount(4000), 10.0, AFTER_S)
    assert window.offer == Amount(4000)
    window = window.sample(Amount(1000), 11.0, AFTER_S)
    assert window.offer == Amount(1000)
    window = window.sample(Amount(4000), 12.0, AFTER_S)
    assert window.sample(Amount(4000), 21.9, AFTER_S).offer == Amount(1000)
    assert window.sample(Amount(4000), 22.0, AFTER_S).offer == Amount(4000)
