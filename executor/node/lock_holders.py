"""Which process holds an owner's lock: the executor itself, or a reaper that releases what the executor left.

A reaper holds the lock of a dead executor while it works, for seconds where much is left. The lock alone would make
the dead executor look alive meanwhile. Source: proc(5), /proc/locks and NSpid in /proc/[pid]/status.
"""

from __future__ import annotations

import os
from pathlib import Path

from executor.node.claims import SUFFIX, Owner

_LOCKS = Path("/proc/locks")


def reaper_of(owner: Owner, run_dir: Path) -> int:
    """The pid of the reaper that holds the lock of `owner`. 0 if the executor itself holds it, no process does, or the
    kernel does not tell.
    """
    pid = _holder(run_dir / f"{owner.container}{SUFFIX}")
    return pid if pid and owner.pid and owner.pid not in _pids_in_namespaces(pid) else 0


def _holder(path: Path) -> int:
    """0 if no process holds it, or a process that is not visible here."""
    try:
        state, text = path.stat(), _LOCKS.read_text()
    except OSError:
        return 0
    wanted = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
    for line in text.splitlines():
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == wanted:
            return int(words[4])
    return 0


def _pids_in_namespaces(pid: int) -> set[int]:
    """The ids of one process: in this pid namespace and in those below it, where its own owner file has the last."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {pid}
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return {int(word) for word in line.split()[1:]} | {pid}
    return {pid}
