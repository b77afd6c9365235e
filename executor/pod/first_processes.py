"""The first processes of containers, held (see cgroups.held): whether they live, wherever somebody has moved them.

Each is the init of a pid namespace. With it everything in that namespace is killed by the kernel, and it has not ended
before all of that has (pid_namespaces(7)): so an end of it says more than a group without processes, which can be had
by moving them.
"""

from __future__ import annotations

from pathlib import Path

from cgroups.held import stat_fields

_EXITING = 0x4
"""PF_EXITING (include/linux/sched.h)."""


def is_ending(pid: int) -> bool:
    """Whether it has begun to end, or is gone: it leaves its groups a moment before its end is seen."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return bool(flags(stat) & _EXITING)


def flags(stat: bytes) -> int:
    """From the content of /proc/<pid>/stat (proc_pid_stat(5)): the 9th field; the 2nd may contain anything."""
    return int(stat_fields(stat)[6])
