"""The processes in a group: listing them, and signalling them without ever hitting a stranger.

A pid read from a group may belong to another process a moment later. It is held first (see `held`) and the group is
read again: what is still listed then is the process that is held.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import islice

from cgroups.descent import walk
from cgroups.errors import CgroupError, CgroupNotFound
from cgroups.files import Directory
from cgroups.held import MISSING, HeldProcess

_BATCH = 128  # descriptors held at a time


def members(directory: Directory, *, recursive: bool) -> set[int]:
    """Thread group ids in the group. Processes of a pid namespace that this one cannot see are left out."""
    found: set[int] = set()
    for group in walk(directory) if recursive else (directory,):
        try:
            found.update(map(int, group.read("cgroup.procs").split()))
        except CgroupNotFound:
            continue
        except CgroupError as error:
            if error.errno != errno.EOPNOTSUPP:  # a threaded group: its processes are listed by the domain above
                raise
    found.discard(0)  # how v2 lists a process of another pid namespace
    return found


def signal_members(read: Callable[[], set[int]], number: signal.Signals) -> set[int]:
    """Signals every process that `read` lists, and returns their pids. `read` is called again for each batch."""
    signalled: set[int] = set()
    pids = iter(sorted(read()))
    while batch := list(islice(pids, _BATCH)):
        signalled |= _signal_batch(batch, read, number)
    return signalled


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None if it is gone. Raises OSError without pidfds."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def pidfds_work() -> bool:
    """Linux 5.3 and later, unless a seccomp filter forbids it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        if error.errno in MISSING:
            return False
        raise
    return True


def _signal_batch(batch: Iterable[int], read: Callable[[], set[int]], number: signal.Signals) -> set[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(each) for pid in batch if (each := HeldProcess.open(pid)) is not None]
        still = read()
        return {each.pid for each in held if each.pid in still and each.send(number)}
