"""The first processes of containers, held (see cgroups.held): whether they live, in whichever cgroup they are.

Each is the init of a pid namespace. With it everything in that namespace is killed by the kernel, and it has not ended
before all of that has (pid_namespaces(7)): so an end of it says more than a group without processes, which can be had
by moving them.
"""

from __future__ import annotations

import signal

from cgroups import process_status

_SIGKILL = 1 << (signal.SIGKILL - 1)


def is_ending(pid: int) -> bool:
    """Whether it has begun to end, or is gone: it leaves its groups a moment before its end is seen."""
    status = process_status.read(pid)
    return status is None or process_status.is_ending(status)


def is_dying(pid: int) -> bool:
    """Whether it is ending, or a SIGKILL waits for it: what the kernel chose for memory has that before it ends."""
    status = process_status.read(pid)
    return status is None or process_status.is_ending(status) or bool(pending(status) & _SIGKILL)


def pending(status: bytes) -> int:
    """The signals that wait for a process, from the content of /proc/<pid>/status (proc_pid_status(5), ShdPnd)."""
    return int(process_status.field(status, b"ShdPnd") or b"0", 16)
