"""The table of a soak, and its plot: what a person looks at."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.soak.sampling import Samples
from tests.soak.trend import LEAST, Series, Trend, judge

TRENDS: dict[str, tuple[str, float, float]] = {
    "executor RSS": ("MiB", 0.05, 2.0),
    "executor fds": ("", 0.05, 3.0),
    "executor threads": ("", 0.05, 2.0),
    "executor children": ("", 0.25, 3.0),
    "RSS of its children": ("MiB", 0.25, 20.0),
    "loop lag p99": ("ms", 9.0, 5000.0),  # it is the load of the machine first of all
    "shims": ("", 0.25, 3.0),
    "containers": ("", 0.25, 3.0),
    "snapshots": ("", 0.25, 6.0),
    "leases": ("", 0.25, 3.0),
    "cgroups": ("", 0.25, 20.0),
    "network namespaces": ("", 0.25, 3.0),
    "IP addresses": ("", 0.25, 3.0),
    "veths": ("", 0.25, 3.0),
    "firewall rules": ("", 0.25, 20.0),
    "CNI records": ("", 0.25, 3.0),
    "mounts": ("", 0.25, 20.0),
    "processes": ("", 0.25, 20.0),
}
"""While pods come and go: the unit; by which part, or by which amount, the last third may be above the middle one."""
EXACT = (
    "shims", "containers", "snapshots", "leases", "cgroups", "network namespaces", "IP addresses", "veths",
    "firewall rules", "CNI records", "mounts",
)  # fmt: skip
"""At rest there are no more of these than the first time."""
RATES = ("executor log", "journal")
"""Grow or turn over; their size is bounded where the configuration says so."""


def trends(samples: Samples) -> list[Trend]:
    """The trend of every series that is long enough."""
    return [
        judge(Series(name, tuple(samples.times_s), tuple(samples.values[name]), unit, tolerance, slack))
        for name, (unit, tolerance, slack) in TRENDS.items()
        if len(samples.values.get(name, ())) >= LEAST
    ]


def leaks(rest: Samples) -> list[str]:
    """In words: what there is more of at rest than the first time."""
    found = []
    for name in EXACT:
        values = rest.values.get(name, [0.0])
        if values[-1] > values[0]:
            found.append(f"{name}: {values[0]:g} at rest at first, {values[-1]:g} at the end")
    return found


def table(busy: Samples, rest: Samples, judged: Sequence[Trend]) -> str:
    """As Markdown: medians of the thirds, the slope, the verdict; and the figures at rest."""
    lines = [
        "| what | first third | middle | last third | highest | slope an hour | flat | at rest: first, last |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in judged:
        at_rest = rest.values.get(each.name, [])
        ends = f"{at_rest[0]:.4g}, {at_rest[-1]:.4g}" if at_rest else ""
        thirds = " | ".join(f"{value:.4g}" for value in (each.first, each.middle, each.last, each.highest))
        name = f"{each.name}, {each.unit}" if each.unit else each.name
        lines.append(f"| {name} | {thirds} | {each.slope:+.2g} | {'no' if each.grows else 'yes'} | {ends} |")
    for name in RATES:
        values = busy.values.get(name, [])
        if values:
            lines.append(f"| {name}, MiB | {values[0]:.4g} | | {values[-1]:.4g} | {max(values):.4g} | | | |")
    return "\n".join(lines)


def write(directory: Path, busy: Samples, rest: Samples, did: Counter[str], text: str) -> None:
    """The figures as JSON, the table, and the plot."""
    directory.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {
        "busy": {"times_s": busy.times_s, **busy.values},
        "rest": {"times_s": rest.times_s, **rest.values},
        "did": dict(did),
    }
    (directory / "soak.json").write_text(json.dumps(figures))
    (directory / "soak.md").write_text(f"{text}\n")
    plot(directory / "soak.png", busy, rest)


def plot(path: Path, busy: Samples, rest: Samples) -> None:
    """A small diagram for each figure; the dots are the samples at rest."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    names = [name for name in (*TRENDS, *RATES) if name in busy.values]
    columns = 4
    figure, axes = pyplot.subplots(math.ceil(len(names) / columns), columns, figsize=(16, 2.2 * len(names) / columns))
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for name, axis in zip(names, axes.flat, strict=False):
        axis.plot([at / 60 for at in busy.times_s], busy.values[name], linewidth=0.8)
        if name in rest.values:
            axis.plot([at / 60 for at in rest.times_s], rest.values[name], "o", markersize=3)
        unit = TRENDS.get(name, ("MiB",))[0]
        axis.set_title(f"{name}, {unit}" if unit else name, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=7)
    figure.supxlabel("minutes", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
