"""What the benchmarks report: samples with their spread, and targets that are met, missed or not judged. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

REQUESTS_FOR_P99 = 2000
"""With fewer, twenty or less decide about the 99th percentile."""


@dataclass(frozen=True)
class Figure:
    """Samples in one unit, in the order in which they were taken."""

    samples: tuple[float, ...]

    @classmethod
    def of(cls, samples: Iterable[float]) -> Figure:
        return cls(tuple(samples))

    @property
    def median(self) -> float:
        """NaN of none."""
        return statistics.median(self.samples) if self.samples else math.nan

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third; of less than two samples, the sample itself."""
        if len(self.samples) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.samples, n=4, method="inclusive")
        return first, third

    def over(self, other: Figure) -> Figure:
        """The ratios of neighbours: each sample over that of `other` in the same turn. Raises ValueError if a turn
        lacks one.
        """
        return Figure.of(mine / theirs for mine, theirs in zip(self.samples, other.samples, strict=True))

    def __str__(self) -> str:
        first, third = self.quartiles
        return f"{self.median:.4g} ({first:.4g} to {third:.4g}, n={len(self.samples)})"

    def document(self) -> dict[str, Any]:
        first, third = self.quartiles
        return {"median": round(self.median, 3), "quartiles": [round(first, 3), round(third, 3)], "n": len(self)}

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Target:
    """The median of `figure` is at most `target`. `unjudged`: why nothing can be said about it. `timed`: others on the
    machine change the figure.
    """

    figure: Figure
    target: float
    unjudged: str = ""
    timed: bool = True

    @property
    def verdict(self) -> str:
        if self.unjudged:
            return "not judged"
        return "met" if self.figure.median <= self.target else "missed"

    def document(self) -> dict[str, Any]:
        """As one line of the history and of the command's JSON has it; `value` and `met` are null if not known."""
        known = self.figure.document() if len(self.figure) else {"median": None, "quartiles": None, "n": 0}
        met = None if self.unjudged else self.verdict == "met"
        reason = {"reason": self.unjudged} if self.unjudged else {}
        return {"value": known.pop("median"), **known, "target": self.target, "met": met, **reason}


@dataclass
class Report:
    """Everything that a run has found: `figures` by name, in milliseconds unless the name has another unit."""

    targets: dict[str, Target] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)

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


def p99(milliseconds: Sequence[float]) -> float | None:
    """By the nearest rank; None of too few requests."""
    if len(milliseconds) < REQUESTS_FOR_P99:
        return None
    return sorted(milliseconds)[math.ceil(0.99 * len(milliseconds)) - 1]
