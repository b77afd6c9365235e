"""The last hour of a node, in rings: cores, memory and pressure of its classes, and what it lends. Bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from executor.cli.page.chart import HOUR_S, Line, chart
from executor.cli.page.markup import Markup, tag
from executor.cli.page.style import size
from executor.cli.pods.rates import RESOURCES

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


@dataclass(frozen=True)
class LendingSample:
    """Cores: what the owners' tasks hold of their reservations, what is offered, and what is borrowed of that."""

    at_s: float
    held: float
    offered: float
    borrowed: float


@dataclass
class Past:
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_KEPT))
    lending: deque[LendingSample] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def add(self, at_s: float, usage: Json, lending: Json | None = None) -> None:
        """What `rates.usage` made; `lending` is the lender's document (schema/lending.json), if one runs."""
        self.samples.append(_sample(at_s, usage["classes"]))
        if lending is not None:
            self.lending.append(_lending(at_s, lending))

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

        lending = [self._lending(now_s)] if len(self.lending) > 1 else []
        cores = [*lines(" used", "used"), *lines(" accounted", "accounted", dashed=True)]
        return tag(
            "div",
            chart("Cores", cores, lambda value: f"{value:.2g}"),
            chart("Memory", lines("", "memory_bytes"), size),
            chart("Waits: the worst of CPU, memory, disk", lines("", "wait_percent"), lambda v: f"{v:.0f} %", 10.0),
            lending,
            class_="charts",
        )

    def _lending(self, now_s: float) -> Markup:
        def line(of: str, name: str, tone: str, *, dashed: bool = False) -> Line:
            return Line(name, tone, [(now_s - each.at_s, getattr(each, of)) for each in self.lending], dashed=dashed)

        lines = [
            line("held", "held by owners", "regular"),
            line("offered", "offered", "revocable", dashed=True),
            line("borrowed", "borrowed", "revocable"),
        ]
        return chart("Lending: cores of the owners", lines, lambda value: f"{value:.2g}")


def _sample(at_s: float, rows: list[Json]) -> Sample:
    def total(key: str) -> dict[str, float]:
        return {each: float(sum(row[key] or 0 for row in rows if row["class"] == each)) for each in _CLASSES}

    waits = {each: max([0.0, *(_wait(row) for row in rows if row["class"] == each)]) for each in _CLASSES}
    return Sample(at_s, total("cpus_used"), total("cpus"), total("memory_bytes"), waits)


def _lending(at_s: float, lending: Json) -> LendingSample:
    held = sum(each["reserved"]["cpus"] - each["surplus"]["cpus"] for each in lending["owners"])
    offered, borrowed = (float(lending[each]["cpus"]) for each in ("offer", "borrowed"))
    return LendingSample(at_s, max(0.0, float(held)), offered, borrowed)


def _wait(row: Json) -> float:
    pressures = [row["pressure"].get(each) for each in RESOURCES]
    return max([0.0, *(float(each["some"]["avg10"]) for each in pressures if each is not None)])
