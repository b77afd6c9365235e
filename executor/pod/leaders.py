"""The first processes of containers, held by their pidfds: whether they live, wherever somebody has moved them.

Each is the init of a pid namespace. With it everything in that namespace is killed by the kernel, and it has not ended
before all of that has (pid_namespaces(7)): so an end of it says more than a group without processes, which can be had
by moving them.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
from pathlib import Path

_EXITING = 0x4
"""PF_EXITING (include/linux/sched.h)."""


def has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


async def ended(pidfd: int) -> None:
    """Waits, without polling."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, end.set)
    try:
        await end.wait()
    finally:
        loop.remove_reader(pidfd)


def is_ending(pid: int) -> bool:
    """Whether it has begun to end, or is gone: it leaves its groups a moment before its end is seen."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return bool(flags(stat) & _EXITING)


def flags(stat: bytes) -> int:
    """From the content of /proc/<pid>/stat (proc_pid_stat(5)): the 9th field; the 2nd may contain anything."""
    return int(stat.rpartition(b")")[2].split()[6])


def kill(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
