"""Whether a series of figures is flat: no test of the node's noise, but one that a leak does not pass. Pure.

The first third is for warming up: caches fill, the executor remembers its last 200 pods. A series grows if its last
third is above the middle one by more than a tolerance (medians), and if a trend is in the rest of it by Mann's test
(Econometrica 13, 1945: Kendall's tau against time), which single high figures do not move. The slope is Theil's and
Sen's: the median of the slopes between all pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist, median

SIGNIFICANT = 0.01
"""How likely a series without a trend is taken for one with a trend."""
LEAST = 9
"""Figures; fewer of them tell nothing."""
PAIRS_MAX = 400
"""Figures that are compared with each other; of more of them evenly chosen ones."""


@dataclass(frozen=True)
class Series:
    """`tolerance`: by which part the last third may be above the middle one; `slack`: or by which amount."""

    name: str
    times_s: tuple[float, ...]
    values: tuple[float, ...]
    unit: str = ""
    tolerance: float = 0.05
    slack: float = 0.0


@dataclass(frozen=True)
class Trend:
    """Medians of the thirds; `slope` is per hour, `p` how likely such a trend is by chance."""

    name: str
    unit: str
    first: float
    middle: float
    last: float
    highest: float
    slope: float
    p: float
    grows: bool


def judge(series: Series) -> Trend:
    """Raises ValueError for a series of fewer than LEAST figures."""
    count = len(series.values)
    if count < LEAST:
        raise ValueError(f"{series.name} has {count} figures, fewer than {LEAST}")
    third = count // 3
    first, middle, last = (median(series.values[at : at + third]) for at in (0, third, count - third))
    times, values = series.times_s[third:], series.values[third:]
    step = math.ceil(len(values) / PAIRS_MAX)
    slope, p = _slope(times[::step], values[::step]), _chance_of_rise(values[::step])
    above = last - middle > max(series.slack, series.tolerance * abs(middle))
    grows = above and p < SIGNIFICANT
    return Trend(series.name, series.unit, first, middle, last, max(series.values), slope * 3600, p, grows)


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    points = list(zip(times, values, strict=True))
    return median((later - value) / (then - at) for (at, value), (then, later) in combinations(points, 2) if then > at)


def _chance_of_rise(values: Sequence[float]) -> float:
    """The probability that Kendall's S is as high without a trend: by the normal distribution, with ties taken off."""
    count = len(values)
    s = sum((later > value) - (later < value) for value, later in combinations(values, 2))
    ties = [values.count(value) for value in set(values)]
    variance = (count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    if variance <= 0 or s <= 0:
        return 1.0
    return 1 - NormalDist().cdf((s - 1) / math.sqrt(variance))
