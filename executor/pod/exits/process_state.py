"""The first processes of containers, held (see cgroups.held): whether they live, in whichever cgroup they are.

Each is the init of a pid namespace. With it everything in that namespace is killed by the kernel, and it has not ended
before all of that has (pid_namespaces(7)): so an end of it says more than a group without processes, which can be had
by moving them.
"""

from __future__ import annotations

import signal
from pathlib import Path

from cgroups.held import stat_fields

_EXITING = 0x4
"""PF_EXITING (include/linux/sched.h)."""
_SIGKILL = 1 << (signal.SIGKILL - 1)


def is_ending(pid: int) -> bool:
    """Whether it has begun to end, or is gone: it leaves its groups a moment before its end is seen."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return bool(flags(stat) & _EXITING)


def is_dying(pid: int) -> bool:
    """Whether it is ending, or a SIGKILL waits for it: what the kernel chose for memory has that before it ends."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return is_ending(pid) or bool(pending(status) & _SIGKILL)


def pending(status: bytes) -> int:
    """The signals that wait for a process, from the content of /proc/<pid>/status (proc_pid_status(5), ShdPnd)."""
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith(b"ShdPnd:")), 0)


def flags(stat: bytes) -> int:
    """From the content of /proc/<pid>/stat (proc_pid_stat(5)): the 9th field; the 2nd may contain anything."""
    return int(stat_fields(stat)[6])
