"""python -m tests.bench.report RECORD [--document FILE]: the tables and charts of performance.md, from a recorded run.

RECORD is what `tests/run bench -- --record RECORD` wrote. Each block of the document between `<!-- bench NAME -->` and
`<!-- end -->` is written again, and the charts beside it are drawn, with the matplotlib of `packaging/prepare --with
soak`. Everything else in the document stays. A block whose part the run did not measure stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.launches import FULL, UNFILTERED
from tests.bench.quiet import KINDS, SERVICES, WORDS, target_name
from tests.bench.scale import FULL as SIZES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "packaging/doc/performance.md"
MATPLOTLIB = ROOT / ".build/soak/packages"
Run = Mapping[str, Any]
CONTENDERS = {
    "bare": "bare calls",
    UNFILTERED: "bare calls, no filter",
    "ctr": "`ctr run`, no network",
    "podman": "podman",
    "cri": "CRI",
}
TARGETS = {
    "launch_1_vs_bare": "launch of 1 pod, over the bare calls",
    "launch_1_vs_podman": "launch of 1 pod, over podman",
    "launch_1_vs_cri": "launch of 1 pod, over CRI",
    "launch_20_vs_bare": "launch of 20 pods, over the bare calls",
    "launch_50_vs_bare": "launch of 50 pods, over the bare calls",
    "revoke_50x5_vs_cgroup_kill": "revocation of 50 pods with 5 processes each, over a bare `cgroup.kill`",
    "launch_regular_beside_working_pods": "launch of 20 regular pods beside 50 working pods, over that without",
    "launch_revocable_beside_working_pods": "launch of 20 revocable pods beside 50 working pods, over that without",
    "p99_of_a_file_as_pods_start_beside_working_pods": "99th percentile of requests meanwhile, over that without",
    "start_to_subscribed_s": "start of the process to SUBSCRIBED, s",
    "rss_idle_mb": "RSS of the executor with 1 pod, MB",
    "rss_110_pods_mb": "RSS with 110 pods, MB",
    "rss_500_pods_mb": "RSS with 500 pods, MB",
    "idle_cpu_fraction": "CPU of the idle executor, of a core",
    "pods_a_second": "pods a second, sustained",
    "shim_pss_mb": "memory of a pod's shim (PSS), MB",
    "launch_growth_over_500_pods": "set-up and start of pod 500, over pod 1 (linear fit)",
} | {
    target_name(what, service, kind): f"{words}, {service.name}, {kind} victims, over the kernel alone"
    for service in SERVICES
    for kind in KINDS
    for what, words in (("p99", "99th percentile of requests"), ("worst", "worst request"))
}
"""What each target is, for a reader."""


CHARTS = {
    "launches": "Time of a launch of each contender, and by the number of pods",
    "timeline": "What is under way when, in one launch",
    "pods": "Phases of each launch by the number of the pod, and the executor's memory",
    "quiet": "Requests of regular pods before and during a revocation, and during the kernel's kill alone",
}


class NotMeasured(Exception):
    """The run has no figure of this kind."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.report", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    arguments = parser.parse_args()
    run = json.loads(arguments.record.read_text())
    text, kept = written(arguments.document.read_text(), run)
    arguments.document.write_text(text)
    for name in kept:
        print(f"the block {name!r} stays as it is: the run did not measure it")
    environment = {**os.environ, "PYTHONPATH": f"{MATPLOTLIB}:{ROOT}"}
    charts = [sys.executable, "-m", "tests.bench.charts", str(arguments.record), str(arguments.document.parent)]
    return subprocess.run(charts, env=environment, check=False).returncode


def written(document: str, run: Run) -> tuple[str, list[str]]:
    """The document with the blocks of this run, and the names of those that stay. Raises KeyError for a block of
    another name.
    """
    kept = []

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        try:
            lines = list(BLOCKS[name](run))
        except NotMeasured:
            kept.append(name)
            return match[0]
        return "\n".join([f"<!-- bench {name} -->", *lines, "<!-- end -->"])

    return re.sub(r"<!-- bench (?P<name>[a-z-]+) -->\n.*?<!-- end -->", block, document, flags=re.DOTALL), kept


def machine(run: Run) -> Iterator[str]:
    found = run["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    loop = cell(run["figures"].get("share of its processor that a loop got"), percent=True)
    yield f"Measured on {run['time'][:10]} on {found['processors']} processors ({found['processor']}) with"
    yield f"{found['memory_gib']:g} GiB, Linux {found['kernel']}, cgroups {found['cgroups']}; {versions}."
    yield f"The run took {run['took_s'] / 60:.0f} minutes."
    if found["noisy"]:
        yield f"Others occupied the machine (a loop got {loop} of its processor), so figures of time are not judged."
    else:
        yield f"A loop got {loop} of its processor before and after."
    yield ""
    yield from (f"- Not measured: {name}: {reason}" for name, reason in (run["absent"] | run["failed"]).items())


def targets(run: Run) -> Iterator[str]:
    rows = []
    for name, target in run["targets"].items():
        reason = target.get("reason", "")
        unjudged = "not judged" if reason == run["machine"]["noisy"] else f"not judged: {reason}"
        verdict = {True: "met", False: "**missed**", None: unjudged}[target["met"]]
        relation = "at least" if target.get("at_least") else "at most"
        words = TARGETS[name]
        rows.append([words, cell(target), f"{relation} {target['target']:g}", verdict])
    yield from table(["what", "value (spread, samples)", "target", ""], rows)


def launches(run: Run) -> Iterator[str]:
    figures = run["figures"]
    rows = []
    for pods in FULL:
        own = figures.get(f"launch of {pods}, executor, ms")
        if own:
            ratios = [cell(figures.get(f"launch of {pods}, executor over {name}")) for name in CONTENDERS]
            rows.append([str(pods), cell(own), number(own["value"] / pods), *ratios])
    over = [f"over {words}" for words in CONTENDERS.values()]
    yield from table(["pods", "executor, ms", "ms a pod", *over], measured(rows))
    yield from chart("launches")


def timeline(run: Run) -> Iterator[str]:
    whole = run["figures"].get("launch of the timeline, ms")
    if not whole:
        raise NotMeasured
    parts = {
        whose: run["figures"][f"part of a launch, {whose}, ms"]
        for whose in ("shim and runc", "containerd", "CNI plugin", "executor")
    }
    together = sum(part["value"] for part in parts.values())
    rows = [[whose, cell(part), f"{part['value'] / together:.0%}"] for whose, part in parts.items()]
    yield from table(["whose", "ms", "part"], [*rows, ["all", cell(whole), ""]])
    yield from chart("timeline")


def scale(run: Run) -> Iterator[str]:
    figures = run["figures"]
    rows = []
    for size in SIZES:
        rss = figures.get(f"RSS with {size} pods, MB")
        if rss:
            rate = next(
                figure for name, figure in figures.items() if name.endswith(f"up to {size}") and "second" in name
            )
            shim = figures[f"PSS of a pod's shim, {size} pods, MB"]
            rows.append([str(size), cell(rate), cell(rss), cell(shim)])
    yield from table(
        ["pods", "launched a second", "RSS of the executor, MB", "PSS of a pod's shim, MB"], measured(rows)
    )
    yield ""
    grown = []
    for name, figure in figures.items():
        if phase := re.fullmatch(r"phase (.*) of \d+ launches, ms", name):
            growths = [each for key, each in figures.items() if key.startswith(f"growth of phase {phase[1]} over")]
            grown.append([phase[1], cell(figure), cell(growths[0]) if growths else "less than 1 ms"])
    yield from table(["phase", "ms", "the last pod over the first (linear fit, 95 %)"], grown)
    yield from chart("pods")


def node(run: Run) -> Iterator[str]:
    """Kills, updates, the agent, the event loop."""
    wanted = (
        "revocation of 50",
        "launch of 20 regular pods",
        "launch of 20 revocable pods",
        "p99 of a file while pods start",
        "bare cgroup.kill",
        "kill of one",
        "updates a second",
        "agent back",
        "event loop late",
        "CPU of the",
        "process start",
        "crun run",
    )
    yield from some(run, lambda name: name.startswith(wanted))


def pulls(run: Run) -> Iterator[str]:
    yield from some(run, lambda name: name.startswith("pull"))


def probes(run: Run) -> Iterator[str]:
    yield from some(run, lambda name: name.startswith(("probes of", "one probe", "one exec")))


def quiet(run: Run) -> Iterator[str]:
    figures = run["figures"]
    rows = []
    for service in SERVICES:
        for kind in KINDS:
            for words in WORDS.values():
                found = [
                    figures.get(f"{service.name}, {kind} victims: {what} {words}, ms")
                    for what in ("median", "p99", "worst")
                ]
                if found[0]:
                    median, worst = number(found[0]["value"]), number(found[2]["value"])
                    at = cell(found[1]) if found[1] else "-"
                    rows.append([service.name, kind, words, median, at, worst, str(found[0]["n"])])
    lengths = [
        f"{figure_name(name)}: {cell(run['figures'][name])} ms" for name in figures if name.startswith("length of")
    ]
    header = ["requests of a", "revoked pods", "when", "median, ms", "99th percentile, ms", "worst, ms", "requests"]
    yield from table(header, measured(rows))
    yield ""
    yield "; ".join(lengths) + "."
    yield from chart("quiet")


def figure_name(name: str) -> str:
    """Without its unit."""
    return name.removesuffix(", ms")


def some(run: Run, wanted: Callable[[str], bool]) -> Iterator[str]:
    rows = [[name, cell(figure)] for name, figure in run["figures"].items() if wanted(name)]
    yield from table(["what", "value (spread, samples)"], measured(rows))


def chart(name: str) -> Iterator[str]:
    """What tests/bench/charts.py draws under this name."""
    yield ""
    yield f"![{CHARTS[name]}](performance-{name}.png)"


def measured(rows: list[list[str]]) -> list[list[str]]:
    """Raises NotMeasured if there are none."""
    if not rows:
        raise NotMeasured
    return rows


def cell(figure: Mapping[str, Any] | None, *, percent: bool = False) -> str:
    """The value, its spread where there is one, and the number of samples."""
    if not figure or figure["value"] is None:
        return "-"
    words: Callable[[float], str] = (lambda value: f"{value:.0%}") if percent else number
    low, high = figure["spread"]
    spread = "" if figure["n"] < 2 or low == high else f"{words(low)} to {words(high)}, "
    return f"{words(figure['value'])} ({spread}n={figure['n']})"


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from (f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header)))
    yield from (f"| {' | '.join(row)} |" for row in rows)


BLOCKS: dict[str, Callable[[Run], Iterator[str]]] = {
    "machine": machine,
    "targets": targets,
    "launches": launches,
    "timeline": timeline,
    "scale": scale,
    "node": node,
    "pulls": pulls,
    "probes": probes,
    "quiet": quiet,
}


if __name__ == "__main__":
    sys.exit(main())
