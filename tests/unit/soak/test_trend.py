"""What a soak takes for growth: a leak under noise, and no noise, step or single high figure."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.soak.trend import Series, judge

TIMES = tuple(float(at) for at in range(0, 2400, 5))


def series(value: Callable[[float, random.Random], float], seed: int = 1, *, slack: float = 0.0) -> Series:
    chance = random.Random(seed)
    return Series("x", TIMES, tuple(value(at, chance) for at in TIMES), slack=slack)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_flat(seed: int) -> None:
    assert not judge(series(lambda _, chance: chance.gauss(60, 5), seed)).grows
    assert not judge(series(lambda _, chance: chance.expovariate(1 / 20), seed, slack=5.0)).grows


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_under_noise_grows(seed: int) -> None:
    found = judge(series(lambda at, chance: 60 + at / 150 + chance.gauss(0, 3), seed))
    assert found.grows and 15 < found.slope < 33, found  # 24 an hour


def test_warming_up_is_no_leak() -> None:
    assert not judge(series(lambda at, chance: min(60, 40 + at / 30) + chance.gauss(0, 1))).grows


def test_a_single_high_figure_is_no_leak() -> None:
    assert not judge(series(lambda at, _: 1000.0 if at == 2000 else 60.0)).grows


def test_steps_that_are_small_are_within_the_tolerance() -> None:
    assert not judge(series(lambda at, _: 20.0 + (at > 1500))).grows
    assert judge(series(lambda at, _: 20.0 + 4 * (at > 1500))).grows


def test_too_few_figures_tell_nothing() -> None:
    with pytest.raises(ValueError, match="8 figures, fewer than 9"):
        judge(Series("x", TIMES[:8], TIMES[:8]))
