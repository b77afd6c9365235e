"""What can go wrong with a control group, as OSErrors that say which file, what was written and what to do.

CgroupError(OSError)
├── CgroupNotFound    the directory or file is not there (ENOENT), or went away under an open descriptor (ENODEV)
└── CgroupBusy        EBUSY: processes or child groups are in the way; `pids` names them
InvalidName(ValueError)   a name that must not become a directory
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

_HINTS = {
    errno.ELOOP: "a symbolic link stands where a cgroup should be; nothing was followed",
    errno.ENOTDIR: "a file or symbolic link stands where a cgroup should be; nothing was followed",
    errno.EROFS: "mount the cgroup file system writable",
    errno.EACCES: "run as root, or delegate the subtree to this user",
    errno.EPERM: "run as root, or delegate the subtree to this user",
    errno.ESRCH: "the process is gone",
    errno.EMFILE: "this process has no file descriptor left: raise ulimit -n",
    errno.ENFILE: "the system has no file descriptor left: see fs.file-max",
    errno.ENOSPC: "a limit of the parent is exhausted (cgroup.max.descendants), or cpuset.cpus/mems is empty",
}


class CgroupError(OSError):
    """`path`: the file or directory. `data`: what was written, empty for a read. `hint`: what a person can do."""

    def __init__(self, code: int, message: str, *, path: str, data: str = "", hint: str = "") -> None:
        super().__init__(code, message, path)
        self.path = path
        self.data = data
        self.hint = hint or _HINTS.get(code, "")

    def __str__(self) -> str:
        wrote = f" (writing {self.data!r})" if self.data else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.path}: {self.strerror}{wrote}{hint}"


class CgroupNotFound(CgroupError):
    pass


class CgroupBusy(CgroupError):
    """`pids`: the processes seen in the group; empty if only child groups or dying state are in the way."""

    def __init__(
        self, code: int, message: str, *, path: str, data: str = "", hint: str = "", pids: Iterable[int] = ()
    ) -> None:
        super().__init__(code, message, path=path, data=data, hint=hint)
        self.pids = tuple(pids)

    def __str__(self) -> str:
        return f"{super().__str__()} [pids {', '.join(map(str, self.pids))}]" if self.pids else super().__str__()


class InvalidName(ValueError):
    """A role, pod, container or cgroup path that must not become a directory; nothing was created."""


def translated(error: OSError, path: str, *, data: str = "", hint: str = "") -> CgroupError:
    """The CgroupError for what the kernel answered about `path`."""
    code = error.errno or errno.EIO
    message = os.strerror(code)
    if code in (errno.ENOENT, errno.ENODEV):
        return CgroupNotFound(code, message, path=path, data=data, hint=hint)
    if code == errno.EBUSY:
        return CgroupBusy(code, message, path=path, data=data, hint=hint)
    return CgroupError(code, message, path=path, data=data, hint=hint)
