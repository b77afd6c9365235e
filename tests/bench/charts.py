"""python -m tests.bench.charts RECORD DIRECTORY: the charts of performance.md. It has matplotlib on its path; so it is
started by tests/bench/report.py.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.launches import FULL, UNFILTERED
from tests.bench.quiet import KINDS, SERVICES
from tests.bench.timeline import NETWORK, OWN, SHIM

Run = Mapping[str, Any]
COLOURS = {
    "executor": "#1f6fb4",
    "bare": "#7f7f7f",
    UNFILTERED: "#bdbdbd",
    "ctr": "#8c6bb1",
    "podman": "#c0504d",
    "cri": "#e08214",
}
LABELS = {"bare": "bare calls", UNFILTERED: "bare, no filter", "ctr": "ctr run, no network", "cri": "CRI"}
SIZE, DPI = (10.0, 4.4), 110
RUNNING = 25
"""So many neighbours make one point of a running median."""


def main(record: str, directory: str) -> None:
    import matplotlib as mpl  # of its own directory, not the venv

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    run = json.loads(Path(record).read_text())
    charts: dict[str, tuple[Callable[[Any, Run], None], bool]] = {
        "performance-launches.png": (launches, "launch of 1, executor, ms" in run["figures"]),
        "performance-timeline.png": (timeline, "timeline" in run["series"]),
        "performance-pods.png": (pods, "phases_ms" in run["series"]),
        "performance-quiet.png": (quiet, any(name.startswith("length of the window") for name in run["figures"])),
    }
    for name, (draw, has_figures) in charts.items():
        if has_figures:
            figure = plt.figure(figsize=SIZE, layout="constrained")
            draw(figure, run)
            figure.savefig(Path(directory, name), dpi=DPI)
            plt.close(figure)
            print(Path(directory, name))


def launches(figure: Any, run: Run) -> None:
    """A pod's part of the time of a launch, for each contender; and by the number of pods."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    sizes = [size for size in FULL if f"launch of {size}, podman, ms" in run["figures"]]
    sizes = sizes or [size for size in FULL if f"launch of {size}, executor, ms" in run["figures"]][:4]
    width = 0.8 / len(COLOURS)
    for number, (name, colour) in enumerate(COLOURS.items()):
        found = [(at, run["figures"].get(f"launch of {size}, {name}, ms"), size) for at, size in enumerate(sizes)]
        bars = [
            (at, each["value"] / size, [edge / size for edge in each["spread"]]) for at, each, size in found if each
        ]
        if bars:
            places = [at - 0.4 + (number + 0.5) * width for at, _, _ in bars]
            values = [value for _, value, _ in bars]
            errors = [[value - low for _, value, (low, _) in bars], [high - value for _, value, (_, high) in bars]]
            left.bar(places, values, width * 0.92, label=LABELS.get(name, name), color=colour, yerr=errors, capsize=1.5,
                     error_kw={"linewidth": 0.8})  # fmt: skip
    left.set_xticks(range(len(sizes)), [f"{size} pod{'s' * (size > 1)}" for size in sizes])
    left.set(ylabel="ms a pod", ylim=(0, None))
    left.set_title("Launch: median and quartiles", loc="left")
    left.legend(frameon=False, fontsize=8, ncols=2)
    for name in ("executor", "bare"):
        known = [(size, run["figures"].get(f"launch of {size}, {name}, ms")) for size in FULL]
        points = [(size, each["value"] / size) for size, each in known if each]
        right.plot(*zip(*points, strict=True), "o-", label=LABELS.get(name, name), color=COLOURS[name])
    right.set_xscale("log")
    right.set(xlabel="pods that are launched at once", ylabel="ms a pod", ylim=(0, None))
    right.set_xticks([*FULL], [str(size) for size in FULL], fontsize=8)
    right.minorticks_off()
    right.set_title("... by the number of pods", loc="left")
    right.legend(frameon=False, fontsize=8)


def timeline(figure: Any, run: Run) -> None:
    """What was under way when."""
    axes = figure.subplots()
    rows = run["series"]["timeline"]
    whole = run["figures"]["launch of the timeline, ms"]["value"]
    kinds = {
        "shim and runc": "#c0504d",
        "containerd": "#8c6bb1",
        "CNI plugin": "#5a9e5a",
        "executor": COLOURS["executor"],
    }
    shown = set()
    for number, row in enumerate(rows):
        kind = _kind(row["name"])
        took = row["end_ms"] - row["begin_ms"]
        label = None if kind in shown else kind
        shown.add(kind)
        axes.barh(number, took, left=row["begin_ms"], height=0.62, color=kinds[kind], label=label)
        axes.text(row["end_ms"] + whole / 150, number, f"{took:.1f} ms", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.invert_yaxis()
    axes.axvline(whole, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="ms since the launch's arrival; the dotted line: all containers run", xlim=(0, whole * 1.1))
    axes.set_title("One launch: medians of the fastest launches of one pod", loc="left")
    axes.legend(frameon=False, fontsize=9, loc="lower left")


def _kind(name: str) -> str:
    if name in SHIM:
        return "shim and runc"
    if name == NETWORK:
        return "CNI plugin"
    return "executor" if name in OWN else "containerd"


def pods(figure: Any, run: Run) -> None:
    """The phases of each launch by the pod's number, and the executor's memory."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for name, values in run["series"]["phases_ms"].items():
        if statistics.median(values) >= 1.0:
            (line,) = left.plot(running(values), label=name, linewidth=1.6)
            left.plot(values, ".", markersize=1.5, alpha=0.35, color=line.get_color())
    every = [value for values in run["series"]["phases_ms"].values() for value in values]
    left.set(xlabel="number of the pod", ylabel="ms", ylim=(0, 1.15 * sorted(every)[int(0.985 * (len(every) - 1))]))
    left.set_title("Phases of a launch by the number of pods", loc="left")
    left.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    rss = run["series"]["rss_mb"]
    right.plot(*zip(*rss, strict=True), "o-", color=COLOURS["executor"], label="RSS of the executor")
    for count, most in ((110, 60), (500, 100)):
        right.plot(count, most, "_", markersize=22, color="#c0504d", label="limit" if count == 110 else None)
    right.set(xlabel="pods", ylabel="MB", ylim=(0, None))
    right.set_title("Memory", loc="left")
    right.legend(frameon=False, fontsize=8, loc="lower right")


def running(values: Sequence[float]) -> list[float]:
    """The median of RUNNING neighbours at each place."""
    half = RUNNING // 2
    return [statistics.median(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]


def quiet(figure: Any, run: Run) -> None:
    """Of each service: the median, the 99th percentile and the worst request."""
    from matplotlib.lines import Line2D

    axes = figure.subplots(1, len(KINDS), sharex=True, sharey=True)
    spans = {
        "before the revocation": ("before", "#9a9a9a"),
        "during the kernel's kill alone": ("kernel alone", "#e08214"),
        "during the revocation": ("revocation", COLOURS["executor"]),
    }
    marks = {"median": ("o", 7), "p99": ("D", 7), "worst": ("^", 8)}
    for axis, kind in zip(axes, KINDS, strict=True):
        for number, service in enumerate(SERVICES):
            for offset, (words, (_, colour)) in enumerate(spans.items()):
                at = number + (offset - 1) * 0.24
                found = {
                    what: run["figures"].get(f"{service.name}, {kind} victims: {what} {words}, ms") for what in marks
                }
                values = {what: each["value"] for what, each in found.items() if each}
                if values:
                    axis.plot([min(values.values()), max(values.values())], [at, at], color=colour, linewidth=1.2)
                for what, value in values.items():
                    mark, size = marks[what]
                    axis.plot(value, at, mark, markersize=size, color=colour)
        axis.set_yticks(range(len(SERVICES)), [service.name.replace("of the", "of the\n") for service in SERVICES])
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlabel("ms")
        axis.set_title(f"{kind} victims", loc="left")
    axes[0].invert_yaxis()
    meaning = {"median": "median", "p99": "99th percentile (of 2,000 requests or more)", "worst": "worst request"}
    keys = [Line2D([], [], color=colour, label=label) for label, colour in spans.values()]
    keys += [Line2D([], [], marker=marks[what][0], linestyle="", color="black", label=meaning[what]) for what in marks]
    figure.legend(handles=keys, loc="outside lower center", ncols=6, frameon=False, fontsize=8)


if __name__ == "__main__":
    main(*sys.argv[1:])
