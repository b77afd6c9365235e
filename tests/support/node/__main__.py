"""python3 -m tests.support.node [--grace SECONDS] -- COMMAND [ARGUMENT ...]"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import socket
import sys

from tests.support.node import LISTENER, outer


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.support.node", description="Run a command in a private node."
    )
    parser.add_argument("--grace", type=float, default=20.0, help="seconds from a signal to the end of all (20)")
    parser.add_argument(
        "--listen", type=int, metavar="PORT",
        help=f"open this port of the machine's 127.0.0.1, or any if it is taken: a descriptor in {LISTENER}",
    )  # fmt: skip
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a private node needs root")
    if arguments.listen is not None:
        _listen(arguments.listen)
    code = os.waitstatus_to_exitcode(outer.run(arguments.command, grace_s=arguments.grace))
    if code < 0:
        _die_of(signal.Signals(-code))
    return code


def _listen(port: int) -> None:
    """A socket stays in the network namespace in which it was made."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.set_inheritable(True)
    os.environ[LISTENER] = str(listener.detach())


def _die_of(number: signal.Signals) -> None:
    """So that the caller sees the same death; without a core file of this process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    sys.exit(main())
