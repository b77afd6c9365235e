"""A pod is counted when it can be over its limit, and for the rest seldom; the cost has a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.disk import pace
from executor.disk.pace import Seen

SIZES = st.integers(0, 1 << 40)
TIMES = st.floats(0, 1e6)
COSTS = st.floats(0, 10)


@given(seen_at=TIMES, age=TIMES, room=st.one_of(st.none(), SIZES), cost=COSTS, growing=st.booleans())
def test_nothing_is_counted_while_nothing_is_written(
    seen_at: float,
    age: float,
    room: int | None,
    cost: float,
    growing: bool,
) -> None:
    seen = Seen(seen_at, 1000, cost, room, growing)
    assert pace.due(seen, seen_at + age, 1000, cost) == (seen_at + age - seen_at >= 10 * pace.SLOW_S)


@given(room=SIZES, written=st.integers(1, 1 << 40), cost=COSTS)
def test_a_pod_that_can_be_over_is_counted_as_soon_as_its_cost_allows(room: int, written: int, cost: float) -> None:
    seen, wait_s = Seen(0.0, 0, cost, room, times=9), max(pace.LOOK_MIN_S, pace.COST * cost)
    can_be_over = written > room
    if can_be_over:
        assert pace.due(seen, wait_s, written, cost)
    if wait_s < pace.SLOW_S:
        assert not pace.due(seen, wait_s * 0.99, written, cost)


def test_one_that_grows_waits_for_its_own_cost_only() -> None:
    quiet, growing = Seen(0.0, 0, 0.002, 100), Seen(0.0, 0, 0.002, 100, growing=True)
    assert pace.due(growing, 0.3, 1000, 1.0) and not pace.due(quiet, 0.3, 1000, 1.0)
    assert pace.due(quiet, 40.0, 1000, 1.0)


def test_a_pod_without_limit_is_counted_by_time_only() -> None:
    seen = Seen(0.0, 0, 0.001, None, times=9)
    assert not pace.due(seen, 119.0, 1 << 40, 0.1) and pace.due(seen, 120.0, 1 << 40, 0.1)
    assert not pace.due(seen, 120.0, 1 << 40, 1.0), "110 pods of 9 ms each are counted each 800 s"
    assert pace.due(None, 0.0, 0, 0.0)


def test_a_young_pod_is_counted_more_often() -> None:
    waits = [next(s for s in range(200) if pace.due(Seen(0.0, 0, 0.0, None, times=n), s, 1, 0.0)) for n in range(7)]
    assert waits == [5, 10, 20, 40, 80, 120, 120]


@given(room=st.one_of(st.none(), SIZES), rate=st.floats(0, 1e12), interval=st.floats(0.25, 60))
def test_the_next_look_comes_in_time(room: int | None, rate: float, interval: float) -> None:
    pause = pace.next_look_s(room, rate, interval)
    assert pace.LOOK_MIN_S <= pause <= interval
    if room is not None and pause > pace.LOOK_MIN_S:
        assert rate * pause <= room / 2


def test_growing_is_a_part_of_the_room() -> None:
    assert pace.grows(0, 11, 1000) and not pace.grows(0, 10, 1000) and not pace.grows(0, 1 << 40, None)
