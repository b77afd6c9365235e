"""python -m tests.lending.proof [--quick] [--json] [--plot FILE] in the private node; `tests/run lending --json`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from tests.lending.proof import plot
from tests.lending.proof.figures import Run, figures
from tests.lending.proof.turns import measure

BURSTS, BURSTS_QUICK = 20, 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run lending", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{BURSTS_QUICK} bursts, not {BURSTS}")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the node over time (PNG)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what was measured (JSON)")
    arguments = parser.parse_args()

    def tell(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    with tempfile.TemporaryDirectory(prefix="mpe-proof-") as directory:
        record = arguments.record or Path(directory, "record.json")

        def keep(run: Run) -> None:
            record.write_text(json.dumps(dataclasses.asdict(run)))

        run = measure(BURSTS_QUICK if arguments.quick else BURSTS, Path(directory), tell, keep)
        if arguments.plot:
            plot.draw(record, arguments.plot)
    found = figures(run)
    for name, value in found.items():
        tell(f"{name:32} {json.dumps(value)}")
    if arguments.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
