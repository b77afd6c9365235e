"""python3 -m tests.support.node [--grace SECONDS] -- COMMAND [ARGUMENT ...]"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys

from tests.support.node import outer


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.support.node", description="Run a command in a private node."
    )
    parser.add_argument("--grace", type=float, default=20.0, help="seconds from a signal to the end of all (20)")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a private node needs root")
    code = os.waitstatus_to_exitcode(outer.run(arguments.command, grace_s=arguments.grace))
    if code < 0:
        _die_of(signal.Signals(-code))
    return code


def _die_of(number: signal.Signals) -> None:
    """So that the caller sees the same death; without a core file of this process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    sys.exit(main())
