"""python -m tests.support.vm [--release NAME] [--timeout SECONDS] -- COMMAND [ARGUMENT ...]"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support.vm import image, machine, project

PORT = "/dev/virtio-ports/report"
VARIABLES = ("MPE_TEST_PREPARED", "PYTHONUNBUFFERED")
"""Which variables of this process the command gets."""
OWN = {"MPE_TEST_NAMESPACE": "1", "MPE_TEST_CGROUP": "/mpe-machine", "MPE_TEST_SLOW": "10", "TMPDIR": "/var/tmp"}
"""The whole machine is the tests' private node; it is slow (tests/support/patience.py), and its /tmp is memory: what
pods write there would be no page cache.
"""
RELEASE = "trixie"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.vm", description="Run a command on a new machine.")
    parser.add_argument("--release", default=os.environ.get("MPE_TEST_RELEASE", RELEASE), help=f"of Debian ({RELEASE})")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds (1800)")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    arguments = parser.parse_args()
    report = os.environ.get("MPE_TEST_REPORT", "")
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ} | OWN
    if report:
        variables["MPE_TEST_REPORT"] = PORT
    try:
        began_s = time.monotonic()
        made = image.ensure(arguments.release)
        with tempfile.TemporaryDirectory(prefix="mpe-project-") as scratch:
            disk = Path(scratch, "project.img")
            project.make(made, disk, arguments.command, variables)
            print(f"the machine's disks are ready after {time.monotonic() - began_s:.0f} s", flush=True)
            return machine.boot(made, disk, report=Path(report) if report else None, timeout_s=arguments.timeout)
    except image.ImageError as error:
        print(f"{error}", file=sys.stderr)
        return machine.FAILED


if __name__ == "__main__":
    sys.exit(main())
