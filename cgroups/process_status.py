"""What /proc/<pid>/status says of a process (proc_pid_status(5)): read without a wait for the process.

Recent kernels read /proc/<pid>/stat, environ, io, maps, and follow the links cwd, exe, root, fd/* and ns/*, under a
lock that a process holds while it executes a program (exec_update_lock, fs/proc/array.c and fs/proc/namespaces.c). A
process of a group that gets no CPU keeps it for seconds: 4 s were seen on a node whose CPUs were all in use. One that
executes while the close of a file hangs (FUSE, NFS) keeps it as long as that does.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from cgroups.held import MISSING

_ENDED = (b"Z", b"X")


def read(pid: int) -> bytes | None:
    """None: there is no such process. Raises OSError if no descriptor is left."""
    try:
        return Path(f"/proc/{pid}/status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None


def field(status: bytes, name: bytes) -> bytes:
    """The value behind `name:`; empty if there is none. The kernel escapes line breaks of the name. Pure."""
    _, found, rest = status.partition(b"\n" + name + b":")
    return rest.partition(b"\n")[0].strip() if found else b""


def name(status: bytes) -> bytes:
    """At most 15 bytes, with line breaks and backslashes escaped; a process may change it. Pure."""
    return status.removeprefix(b"Name:\t").partition(b"\n")[0]


def parent(status: bytes) -> int:
    """0 if the parent cannot be seen from here. Pure."""
    return int(field(status, b"PPid"))


def is_zombie(status: bytes) -> bool:
    """Whether it has ended and was not reaped. Pure."""
    return field(status, b"State")[:1] == b"Z"


def is_ending(status: bytes) -> bool:
    """Whether it has begun to end: a process gives its memory back first. Not for threads of the kernel. Pure."""
    return field(status, b"State")[:1] in _ENDED or not field(status, b"VmSize")


def identity(pid: int) -> int | None:
    """A number that no other process with this pid has had since the kernel's boot: the inode of its pidfd (pidfs,
    Linux 6.9), else its start in clock ticks (proc_pid_stat(5), the 22nd field). None: there is no such process.
    Raises OSError if no descriptor is left.
    """
    try:
        if not _has_pidfs():
            stat = Path(f"/proc/{pid}/stat").read_bytes()
            return int(stat.rpartition(b")")[2].split()[19])
        descriptor = os.pidfd_open(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


@cache
def _has_pidfs() -> bool:
    """Before it, all pidfds had the inode of every anonymous file, such as an eventfd. Raises OSError if no descriptor
    is left: that is no answer, and none to remember.
    """
    other = os.eventfd(0)
    try:
        own = os.pidfd_open(os.getpid())
        try:
            return os.fstat(own).st_ino != os.fstat(other).st_ino
        finally:
            os.close(own)
    except OSError as error:
        if error.errno not in MISSING:
            raise
        return False
    finally:
        os.close(other)
