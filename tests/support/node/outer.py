"""The host's side of a private node: starts the inner side, passes signals on, and removes what is left."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Collection, Sequence

from tests.support import cgroupdirs
from tests.support.node import inner, record, syscalls

_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_FORWARDED = _ENDING | {signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
_SETUP_FAILED = 125
_KILLING_INTERVAL_S = 0.2


def run(command: Sequence[str], *, grace_s: float) -> int:
    """The wait status of the command (os.waitstatus_to_exitcode). Uninterruptible but by SIGKILL, so cleanup happens.

    After a signal that asks for the end, the command has `grace_s` before everything inside is killed.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    try:
        for old in record.stale():
            _report(old.remove())
        node = record.Node.create()
        try:
            return _run(node, command, grace_s, mask)
        finally:
            _report(node.remove())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _run(node: record.Node, command: Sequence[str], grace_s: float, mask: Collection[int]) -> int:
    reading, writing = os.pipe()
    syscalls.unshare(syscalls.CLONE_NEWPID)  # for the next child, not for this process
    child = os.fork()
    if child == 0:
        os.close(reading)
        _inner(node, command, writing, mask)
    os.close(writing)
    ended = _supervise(child, node, grace_s)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    return int(text) if text else ended


def _inner(node: record.Node, command: Sequence[str], writing: int, mask: Collection[int]) -> None:
    try:
        inner.run(node, command, writing, _FORWARDED, mask)
    except FileNotFoundError as error:
        sys.stderr.write(f"node: {error}\n")
        os._exit(127)
    finally:  # reached only when the node could not be set up
        if sys.exc_info()[1] is not None:
            traceback.print_exc()
        os._exit(_SETUP_FAILED)


def _supervise(child: int, node: record.Node, grace_s: float) -> int:
    """Waits for process 1 of the node, and with it for every process inside; returns its wait status."""
    deadline = float("inf")
    killing = False
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        if not killing and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            killing = True
        if killing:  # what a v1 freezer holds dies only once it is thawed
            cgroupdirs.thaw(cgroupdirs.below(node.cgroup))
        received = _next_signal(_KILLING_INTERVAL_S if killing else deadline - time.monotonic())
        if received is None or received.si_signo == signal.SIGCHLD:
            continue
        from_terminal = received.si_code == inner.SI_KERNEL
        if not from_terminal:
            os.kill(child, received.si_signo)
        if received.si_signo in _ENDING and (not from_terminal or received.si_signo == signal.SIGHUP):
            deadline = min(deadline, time.monotonic() + grace_s)


def _next_signal(timeout_s: float) -> signal.struct_siginfo | None:
    awaited = _FORWARDED | {signal.SIGCHLD}
    if timeout_s == float("inf"):
        return signal.sigwaitinfo(awaited)
    return signal.sigtimedwait(awaited, max(timeout_s, 0.0))


def _report(left: list[str]) -> None:
    if left:
        sys.stderr.write(f"node: could not remove {', '.join(left)}\n")
