from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.probes.rhythm import first_at_s, next_at_s
from executor.spec.probes import Probe, TcpSocket

ACTION = TcpSocket(80)
TIMES = st.floats(0, 1e6, allow_nan=False)
PERIODS = st.floats(0.1, 3600, allow_nan=False)


def probe(**timings: float) -> Probe:
    return Probe(ACTION, **timings)  # type: ignore[arg-type]


def test_the_first_probe_comes_after_the_initial_delay() -> None:
    assert first_at_s(probe(initial_delay_s=15), 100.0, 100.0) == 115.0


def test_after_a_late_startup_probe_the_first_one_comes_at_once() -> None:
    assert first_at_s(probe(initial_delay_s=15), 100.0, 130.0) == 130.0
    assert first_at_s(probe(initial_delay_s=15), 100.0, 110.0) == 115.0


def test_periods_count_from_start_to_start() -> None:
    assert next_at_s(probe(period_s=10), 5.0, 5.0, 5.9) == 15.0


def test_a_probe_that_was_begun_late_does_not_move_the_rhythm() -> None:
    assert next_at_s(probe(period_s=10), 5.0, 15.4, 15.5) == 25.0


def test_a_probe_longer_than_its_period_is_followed_at_once_and_then_in_rhythm() -> None:
    every_two = probe(period_s=2)
    assert next_at_s(every_two, 0.0, 0.0, 5.0) == 5.0
    assert next_at_s(every_two, 0.0, 5.0, 5.1) == 6.0


def test_the_interval_of_mesos_counts_from_the_end() -> None:
    mesos = Probe(ACTION, period_s=10, period_from_end=True)
    assert next_at_s(mesos, 5.0, 5.0, 8.0) == 18.0


@given(PERIODS, TIMES, st.floats(0, 1e4), st.floats(0, 1e4))
def test_the_next_probe_is_never_in_the_past_nor_more_than_a_period_away(
    period_s: float, first_s: float, late_s: float, took_s: float
) -> None:
    begun_s = first_s + late_s
    ended_s = begun_s + took_s
    due_s = next_at_s(probe(period_s=period_s), first_s, begun_s, ended_s)
    assert due_s >= ended_s
    assert due_s <= max(begun_s + period_s * (1 + 1e-6) + 1e-6, ended_s)
