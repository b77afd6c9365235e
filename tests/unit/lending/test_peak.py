"""What an owner keeps of cpus that its tasks hold and do not use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.lending.peak import Peak

SAMPLES = st.lists(st.tuples(st.integers(0, 8000), st.floats(0, 9000), st.floats(0, 100)), min_size=1, max_size=40)


@given(SAMPLES, st.floats(0, 100))
def test_it_keeps_at_least_what_is_used_and_at_most_what_it_holds(
    samples: list[tuple[int, float, float]], margin: float
) -> None:
    peak, now_s = Peak(), 0.0
    for held, used, passed_s in samples:
        now_s += passed_s
        peak = peak.sample(held, used, now_s, 300)
        assert min(held, used) <= peak.kept(margin) <= held
        assert peak.kept(margin) + peak.spare(margin) == held


def test_a_new_task_counts_with_all_it_holds_and_the_peak_decays() -> None:
    peak = Peak().sample(4000, 0, 0.0, 300)
    assert peak.spare(0) == 0
    peak = peak.sample(4000, 1000, 300.0, 300)
    assert peak.kept(0) == 2500  # half of what is above the use
    assert peak.kept(20) == 3000
    peak = peak.sample(6000, 1000, 300.0, 300)
    assert peak.kept(0) == 4500
    assert peak.sample(6000, 5500, 301.0, 300).kept(0) == 5500
    assert peak.sample(6000, 1000, 1e6, 300).kept(20) == 1200


def test_a_clock_that_goes_back_makes_no_peak_grow() -> None:
    peak = Peak().sample(4000, 4000, 100.0, 300)
    assert peak.sample(4000, 0, 50.0, 300).millicpus == pytest.approx(4000)
