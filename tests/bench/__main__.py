"""python -m tests.bench [--quick] [--json] [--record FILE] [--history FILE] [--compare FILE] [--only PART]...: in the
private node, as `tests/run bench` starts it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import bench, history, machine, noise, probes, process, quiet, scale
from tests.bench.figures import Figure, Report
from tests.support.rig import Rig

IN_HARNESS = ("launches", "crun", "revocation", "beside", "quiet", "pulls", "timeline")
PARTS = (*IN_HARNESS, "process", "scale", "probes")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run bench", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns and pods")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write all samples, for tests.bench.report")
    parser.add_argument("--history", type=Path, metavar="FILE", help="compare with this file, and append the run")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show what is worse than in this file")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be given again")
    parser.add_argument("--quiet-turns", type=int, default=quiet.TURNS, metavar="N", help="revocations of each kind")
    arguments = parser.parse_args()
    known = arguments.compare or arguments.history
    try:
        earlier = history.read(known) if known and (arguments.compare or known.exists()) else []
    except (OSError, ValueError) as error:
        parser.error(str(error))
    plan = bench.Plan(arguments.quick, arguments.only or PARTS, arguments.quiet_turns)
    began_s = time.monotonic()

    def tell(text: str) -> None:
        stamped = f"{time.monotonic() - began_s:6.1f} s  {text}"
        print(stamped, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    report, noisy = measure(plan, tell)
    document = describe(report, quick=arguments.quick, noisy=noisy, took_s=time.monotonic() - began_s)
    for name, target in report.targets.items():
        figure = str(target.figure) if len(target.figure) else "-"
        why = target.unjudged and f": {target.unjudged}"
        comparison = ">=" if target.at_least else "<="
        tell(f"{name:48} {figure}  target {comparison} {target.target:g}  {target.verdict}{why}")
    for line in history.regressions(document, earlier):
        tell(f"worse than before: {line}")
    if arguments.record:
        arguments.record.write_text(json.dumps(record(document, report)))
    if arguments.history:
        history.append(arguments.history, document)
    if arguments.json:
        print(json.dumps(document))
    for part, reason in report.failed.items():
        print(f"{part} failed: {reason}", file=sys.stderr)
    return 1 if report.failed else 0


def measure(plan: bench.Plan, tell: Callable[[str], None]) -> tuple[Report, str]:
    """What was measured, and why the machine is too noisy to judge it; that is empty if it is not."""
    before = noise.measure()
    report = Report()
    parts: dict[str, tuple[Callable[[], Rig] | None, Callable[[Any], Report]]] = {
        "process": (Rig, lambda rig: process.measure(rig, quick=plan.quick, tell=tell)),
        "scale": (partial(Rig, program=scale.LAGGED), lambda rig: scale.measure(rig, quick=plan.quick, tell=tell)),
    }
    if not set(plan.parts).isdisjoint(IN_HARNESS):
        parts = {"the node": (Rig, lambda rig: asyncio.run(bench.measure(rig, plan, tell)))} | parts
    if not plan.quick:
        parts["probes"] = (None, lambda _: probes.report(tell))
    for name, (make, measured) in parts.items():
        if name in (*plan.parts, "the node"):
            try:
                with make() if make else nullcontext() as rig:
                    report.add(measured(rig))
            except Exception as error:  # noqa: BLE001 - what the other parts have found is kept
                report.fail(name, error, tell)
    after = noise.measure()
    report.figures["share of its processor that a loop got"] = Figure.of([*before, *after])
    if noisy := noise.verdict(before, after):
        tell(noisy)
        report.unjudge(noisy)
    return report, noisy


def describe(report: Report, *, quick: bool, noisy: str, took_s: float) -> dict[str, Any]:
    """A line of the history."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "took_s": round(took_s),
        "machine": machine.describe() | {"noisy": noisy},
        "quick": quick,
        "targets": {name: target.document() for name, target in report.targets.items()},
        "figures": {name: figure.document() for name, figure in report.figures.items()},
        "absent": report.absent,
        "failed": report.failed,
    }


def record(document: dict[str, Any], report: Report) -> dict[str, Any]:
    """With the samples and the series besides."""
    samples = {name: [round(each, 3) for each in figure.samples] for name, figure in report.figures.items()}
    return {**document, "samples": samples, "series": report.series}


if __name__ == "__main__":
    sys.exit(main())
