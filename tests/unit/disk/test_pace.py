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
    assert pace.due(seen, seen_at + age, 1000, 1) == (seen_at + age - seen_at >= 10 * pace.SLOW_S)


@given(room=SIZES, written=st.integers(1, 1 << 40), cost=COSTS, pods=st.integers(1, 200))
def test_a_pod_that_can_be_over_is_counted_as_soon_as_its_cost_allows(
    room: int, written: int, cost: float, pods: int
) -> None:
    seen = Seen(0.0, 0, cost, room, times=9)
    wait_s = pace.pause_s(seen, pods)
    can_be_over = written > room
    if can_be_over:
        assert pace.due(seen, wait_s, written, pods)
    if wait_s < pace.SLOW_S:
        assert not pace.due(seen, wait_s * 0.99, written, pods)


def test_one_that_grows_waits_for_its_own_cost_only() -> None:
    quiet, growing = Seen(0.0, 0, 0.002, 100), Seen(0.0, 0, 0.002, 100, growing=True)
    assert pace.due(growing, 0.3, 1000, 500) and not pace.due(quiet, 0.3, 1000, 500)
    assert pace.due(quiet, 40.0, 1000, 500)


@given(costs=st.lists(st.floats(0.007, 10), min_size=1, max_size=200))
def test_all_counts_together_stay_within_their_part_of_a_core(costs: list[float]) -> None:
    pauses = [pace.pause_s(Seen(0.0, 0, cost, 100), len(costs)) for cost in costs]
    assert sum(cost / pause for cost, pause in zip(costs, pauses, strict=True)) <= 1.001 / pace.COST


def test_a_pod_that_is_expensive_to_count_delays_only_itself() -> None:
    large, small = Seen(0.0, 0, 4.0, 100), Seen(0.0, 0, 0.002, 100)
    assert pace.pause_s(large, 3) == 480 and pace.pause_s(small, 3) == pace.LOOK_MIN_S


def test_a_pod_without_limit_is_counted_by_time_only() -> None:
    seen = Seen(0.0, 0, 0.001, None, times=9)
    assert not pace.due(seen, 119.0, 1 << 40, 110) and pace.due(seen, 120.0, 1 << 40, 110)
    assert not pace.due(seen, 120.0, 1 << 40, 1000), "of 1000 pods of 1 ms each one is counted each 800 s"
    assert pace.due(None, 0.0, 0, 1)


def test_a_young_pod_is_counted_more_often() -> None:
    waits = [next(s for s in range(200) if pace.due(Seen(0.0, 0, 0.0, None, times=n), s, 1, 1)) for n in range(7)]
    assert waits == [5, 10, 20, 40, 80, 120, 120]


@given(room=st.one_of(st.none(), SIZES), rate=st.floats(0, 1e12), interval=st.floats(0.25, 60))
def test_the_next_look_comes_in_time(room: int | None, rate: float, interval: float) -> None:
    pause = pace.next_look_s(room, rate, interval)
    assert pace.LOOK_MIN_S <= pause <= interval
    if room is not None and pause > pace.LOOK_MIN_S:
        assert rate * pause <= room / 2


def test_growing_is_a_part_of_the_room() -> None:
    assert pace.grows(0, 11, 1000) and not pace.grows(0, 10, 1000) and not pace.grows(0, 1 << 40, None)
