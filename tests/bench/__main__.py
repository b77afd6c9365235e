"""python -m tests.bench [--quick] [--json] [--history FILE] [--compare FILE]: in the private node, as `tests/run bench`
starts it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import bench, history, noise, process
from tests.bench.figures import Report
from tests.support.rig import Rig


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns and pods")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--history", type=Path, metavar="FILE", help="append the run to this file, as a line of JSON")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show what is worse than in this history")
    arguments = parser.parse_args()
    try:
        earlier = history.read(arguments.compare) if arguments.compare else []
    except (OSError, ValueError) as error:
        parser.error(str(error))

    def tell(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    report, noisy = measure(quick=arguments.quick, tell=tell)
    document = describe(report, quick=arguments.quick, noisy=noisy)
    for name, target in report.targets.items():
        figure = str(target.figure) if len(target.figure) else "-"
        why = target.unjudged and f": {target.unjudged}"
        tell(f"{name:36} {figure}  target {target.target:g}  {target.verdict}{why}")
    for line in history.regressions(document, earlier):
        tell(f"worse than before: {line}")
    if arguments.history:
        history.append(arguments.history, document)
    if arguments.json:
        print(json.dumps(document))
    return 0


def measure(*, quick: bool, tell: Callable[[str], None]) -> tuple[Report, str]:
    """What was measured, and why the machine is too noisy to judge it; that is empty if it is not."""
    before = noise.measure()
    with Rig() as rig:
        report = asyncio.run(bench.measure(rig, quick=quick, tell=tell))
    with Rig() as rig:
        report.add(process.measure(rig, quick=quick, tell=tell))
    if noisy := noise.verdict(before, noise.measure()):
        tell(noisy)
        report.unjudge(noisy)
    return report, noisy


def describe(report: Report, *, quick: bool, noisy: str) -> dict[str, Any]:
    """A line of the history."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"kernel": platform.release(), "processors": len(os.sched_getaffinity(0)), "noisy": noisy},
        "quick": quick,
        "targets": {name: target.document() for name, target in report.targets.items()},
        "figures": {name: figure.document() for name, figure in report.figures.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
