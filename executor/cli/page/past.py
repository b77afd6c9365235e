"""The last hour of a node's classes, in a ring: cores, memory, pressure, and how much is revocable. Bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from executor.cli.page.chart import HOUR_S, Line, chart
from executor.cli.page.markup import Markup, tag
from executor.cli.page.style import size

SAMPLE_S: Final = 10.0
_KEPT: Final = round(HOUR_S / SAMPLE_S)
_CLASSES: Final = ("regular", "revocable")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """Sums of all executors of the node, by class. `at_s` is a clock for differences only."""

    at_s: float
    used: Mapping[str, float]
    accounted: Mapping[str, float]
    memory_bytes: Mapping[str, float]
    wait_percent: Mapping[str, float]


@dataclass
class Past:
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def add(self, at_s: float, usage: Json) -> None:
        """What `rates.usage` made."""
        self.samples.append(_sample(at_s, usage["classes"]))

    def charts(self, now_s: float) -> Markup:
        """Nothing before there are two samples."""
        if len(self.samples) < 2:
            return tag("p", "Charts of the last hour begin now.", class_="soft")

        def lines(name: str, of: str, *, dashed: bool = False) -> list[Line]:
            return [
                Line(
                    f"{each}{name}",
                    each,
                    [(now_s - sample.at_s, getattr(sample, of)[each]) for sample in self.samples],
                    dashed=dashed,
                )
                for each in _CLASSES
            ]

        cores = [*lines(" used", "used"), *lines(" accounted", "accounted", dashed=True)]
        return tag(
            "div",
            chart("Cores", cores, lambda value: f"{value:.2g}"),
            chart("Memory", lines("", "memory_bytes"), size),
            chart("Waits: the worst of CPU, memory, disk", lines("", "wait_percent"), lambda v: f"{v:.0f} %", 10.0),
            class_="pair",
        )


def _sample(at_s: float, rows: list[Json]) -> Sample:
    def total(key: str) -> dict[str, float]:
        return {each: float(sum(row[key] or 0 for row in rows if row["class"] == each)) for each in _CLASSES}

    waits = {each: max([0.0, *(_wait(row) for row in rows if row["class"] == each)]) for each in _CLASSES}
    return Sample(at_s, total("cpus_used"), total("cpus"), total("memory_bytes"), waits)


def _wait(row: Json) -> float:
    return max([0.0, *(float(each["some"]["avg10"]) for each in row["pressure"].values() if each is not None)])
