"""python -m tests.bench [--quick] [--json]: in the private node, as `tests/run bench` starts it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from tests.bench import bench, process
from tests.support.rig import Rig


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns and pods")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()

    def tell(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    with Rig() as rig:
        targets = asyncio.run(bench.measure(rig, quick=arguments.quick, tell=tell))
    with Rig() as rig:
        targets |= process.measure(rig, quick=arguments.quick, tell=tell)
    for name, target in targets.items():
        met = "met" if target.value <= target.target else "MISSED"
        tell(f"{name:36} {target.value:8.3f}  target {target.target:g}  {met}")
    if arguments.json:
        print(json.dumps({"targets": {name: target.document() for name, target in targets.items()}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
