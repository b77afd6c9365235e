"""Ends of containers that containerd does not report, because their shim hangs: the kernel knows them.

A shim that hangs does not reap: its container's first process stays a zombie, and /proc says how it ended. One that was
reaped is not ours to judge; containerd reports it, after its restart if need be.
Source: proc_pid_stat(5), field 52; wait(2).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cgroups import process_status
from executor.pod.life.model import State

if TYPE_CHECKING:
    from executor.pod.runner import PodRunner

LOOK_S = 5.0
"""How often it is looked, and how long containerd may take at least: it takes some milliseconds."""
_STATES = (State.INITIALIZING, State.STARTING, State.RUNNING, State.STOPPING)


class UnreportedExits:
    """Remembers from one look to the next which first processes had ended."""

    def __init__(self) -> None:
        self._ended: set[tuple[str, str, int]] = set()

    def look(self, runners: Iterable[PodRunner]) -> None:
        """Hands on each end that was there at the last look already, and that has not been reported since."""
        ended = {(runner.id, name, pid): runner for runner in runners for name, pid in _ended(runner)}
        for (pod, name, pid), runner in ended.items():
            if (pod, name, pid) in self._ended and (code := zombie_exit_code(pid)) is not None:
                runner.log.warning("containerd does not report an end", code="pod.exit_untold", container=name, pid=pid)
                runner.exited(name, code, pid)
        self._ended = set(ended)


def _ended(runner: PodRunner) -> list[tuple[str, int]]:
    """The containers that run as far as the life cycle knows, and whose first process has ended."""
    if runner.pod.state not in _STATES:
        return []
    running = [(name, runner.pod.containers[name].pid) for name in runner.pod.running]
    return [(name, pid) for name, pid in running if pid is not None and not runner.containers.lives(name)]


def zombie_exit_code(pid: int) -> int | None:
    """What a process that was not reaped ended with: its exit status, or 128 + the signal. None: it is not a zombie."""
    try:
        found = process_status.read(pid)
        if found is None or not process_status.is_zombie(found):
            return None
        status = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[49])
    except OSError:
        return None
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF
