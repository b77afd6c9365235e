"""Run a program to its end, its deadline or an interrupt, and let it clean up in each of these cases.

The program leads a process group of its own, so that a Ctrl-C reaches it once, through this module, and not a second
time from the terminal while it is cleaning up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from tests.support.suites import ROOT

PATIENCE_S = ((signal.SIGINT, 45.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class Ended:
    """`code` is the exit code (negative for a signal); `why` it was ended early, or empty."""

    code: int
    why: str = ""


def run(command: Sequence[str], *, env: Mapping[str, str], deadline_s: float, stdout: TextIO | None = None) -> Ended:
    """`deadline_s` is a time of the monotonic clock. Raises KeyboardInterrupt after the program has ended."""
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        return Ended(-1, "the budget of time is used up")
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=stdout, process_group=0)
    try:
        return Ended(process.wait(timeout=left_s))
    except subprocess.TimeoutExpired:
        return Ended(stop(process), f"ended after {left_s:.0f} s, when the budget of time was used up")
    except KeyboardInterrupt:
        stop(process)
        raise


def stop(process: subprocess.Popen[bytes]) -> int:
    """Interrupt it, wait, and use force only when that did not help. Further interrupts do not shorten this."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, patience_s in PATIENCE_S:
            with contextlib.suppress(ProcessLookupError):
                # what it started is its own to end, and a second interrupt would break off its cleaning up
                (os.killpg if number is signal.SIGKILL else os.kill)(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=patience_s)
        return process.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
