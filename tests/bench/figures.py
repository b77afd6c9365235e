"""What the benchmarks report: samples with their spread, and targets that are met, missed or not judged. Pure."""

from __future__ import annotations

import math
import statistics
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

REQUESTS_FOR_P99 = 2000
"""With fewer, twenty or less decide about the 99th percentile."""
NORMAL_95 = 1.96
"""So many standard errors to both sides make an interval of 95 %."""


@dataclass(frozen=True)
class Figure:
    """Samples in one unit, in the order in which they were taken. Their median is the figure's value."""

    samples: tuple[float, ...]

    @classmethod
    def of(cls, samples: Iterable[float]) -> Figure:
        return cls(tuple(samples))

    @property
    def value(self) -> float:
        """NaN of none."""
        return statistics.median(self.samples) if self.samples else math.nan

    @property
    def spread(self) -> tuple[float, float]:
        """The first and the third quartile; of less than two samples, the sample itself."""
        if len(self.samples) < 2:
            return self.value, self.value
        first, _, third = statistics.quantiles(self.samples, n=4, method="inclusive")
        return first, third

    def over(self, other: Figure) -> Figure:
        """The ratios of neighbours: each sample over that of `other` in the same turn. Raises ValueError if a turn
        lacks one.
        """
        return Figure.of(mine / theirs for mine, theirs in zip(self.samples, other.samples, strict=True))

    def __str__(self) -> str:
        low, high = self.spread
        return f"{self.value:.4g} ({low:.4g} to {high:.4g}, n={len(self)})"

    def document(self) -> dict[str, Any]:
        """As a line of the history has it. Null stands for what is not known."""
        if not len(self):
            return {"value": None, "spread": None, "n": 0}
        return {"value": round(self.value, 3), "spread": [round(each, 3) for each in self.spread], "n": len(self)}

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Computed(Figure):
    """One value that was computed from `count` samples; the interval has it with a probability of 95 %."""

    low: float = math.nan
    high: float = math.nan
    count: int = 1

    @property
    def spread(self) -> tuple[float, float]:
        return self.low, self.high

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class Target:
    """The value of `figure` is at most `target`, or at least if `at_least`. `unjudged`: why nothing can be said about
    it. `timed`: others on the machine change the figure.
    """

    figure: Figure
    target: float
    unjudged: str = ""
    timed: bool = True
    at_least: bool = False

    @property
    def verdict(self) -> str:
        if self.unjudged:
            return "not judged"
        value = self.figure.value
        return "met" if (value >= self.target if self.at_least else value <= self.target) else "missed"

    def document(self) -> dict[str, Any]:
        """As one line of the history and of the command's JSON has it; `value` and `met` are null if not known."""
        met = None if self.unjudged else self.verdict == "met"
        document = {**self.figure.document(), "target": self.target, "met": met}
        if self.at_least:
            document["at_least"] = True
        return document | ({"reason": self.unjudged} if self.unjudged else {})


@dataclass
class Report:
    """Everything that a run has found. `figures` by name, in milliseconds unless the name has another unit; `series`
    are lists for the charts; `absent` has the reason of each peer that is not measured, `failed` of each part of the
    run that failed.
    """

    targets: dict[str, Target] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def fail(self, part: str, error: Exception, tell: Callable[[str], None]) -> None:
        """With the traceback for whoever looks for the cause."""
        self.failed[part] = f"{type(error).__name__}: {error}"
        tell("".join(traceback.format_exception(error)))

    def skip(self, targets: Mapping[str, float], reason: str) -> None:
        """These are listed, without a figure."""
        self.targets |= {name: Target(Figure(()), target, reason) for name, target in targets.items()}

    def unjudge(self, reason: str) -> None:
        """What took time on this machine is not judged."""
        for name, target in self.targets.items():
            if target.timed and not target.unjudged:
                self.targets[name] = replace(target, unjudged=reason)

    def add(self, other: Report) -> None:
        self.targets |= other.targets
        self.figures |= other.figures
        self.series |= other.series
        self.absent |= other.absent
        self.failed |= other.failed


def p99(milliseconds: Sequence[float]) -> Computed | None:
    """By the nearest rank, with an interval by the ranks beside it; None of too few requests."""
    count = len(milliseconds)
    if count < REQUESTS_FOR_P99:
        return None
    ranked = sorted(milliseconds)
    half = NORMAL_95 * math.sqrt(count * 0.99 * 0.01)
    low, at, high = (
        ranked[min(count, math.ceil(rank)) - 1] for rank in (0.99 * count - half, 0.99 * count, 0.99 * count + half)
    )
    return Computed((at,), low, high, count)


def quotient(one: Computed, other: Computed) -> Computed:
    """With the interval that follows from the two."""
    return Computed((one.value / other.value,), one.low / other.high, one.high / other.low, min(len(one), len(other)))


def growth(values: Sequence[float]) -> Computed:
    """How many times as large the last value is as the first one, on the straight line that fits best. Raises
    StatisticsError of less than three values.
    """
    count = len(values)
    if count < 3:
        raise statistics.StatisticsError("a line needs three values")
    numbers = range(count)
    slope, begin = statistics.linear_regression(numbers, values)
    errors = [value - begin - slope * number for number, value in zip(numbers, values, strict=True)]
    deviation = math.sqrt(sum(error * error for error in errors) / (count - 2))
    half = NORMAL_95 * deviation / math.sqrt(sum((number - (count - 1) / 2) ** 2 for number in numbers))
    first = begin if begin > 0 else statistics.fmean(values)
    low, at, high = (1 + each * (count - 1) / first for each in (slope - half, slope, slope + half))
    return Computed((at,), low, high, count)
