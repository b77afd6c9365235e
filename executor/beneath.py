"""A path below a directory that others fill: symbolic links in it never lead out of the directory.

openat2(2) with RESOLVE_IN_ROOT does it. For kernels without that system call links are followed by hand: `/` and what
`..` would leave are the given directory, and each name is opened without following it and held, so that a name that
changes meanwhile leads nowhere else; `..` goes back to what is held.
`open_child` enters one directory, neither through a link nor across a mount point, bind mounts included. Without
openat2 it compares the mount ids of parent and child (/proc/self/fdinfo).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from cgroups import openat2
from executor.errors import reason
from executor.own_directory import DIRECTORY

LINKS_MAX: Final = 40
"""As the kernel (MAXSYMLINKS, include/linux/namei.h)."""
DEPTH_MAX: Final = 256
"""The number of directories that are held at the same time."""
_NAME: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

_OPENAT2: Final = 437  # on every architecture
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
_RACES_MAX: Final = 64
"""The kernel gives up on `..` in a link's target when anything is renamed or mounted anywhere meanwhile."""
_NO_OPENAT2: Final = (errno.ENOSYS, errno.EPERM)  # Linux before 5.6; a seccomp filter
_REFUSED: Final = frozenset({*_NO_OPENAT2, errno.EINVAL})
"""What a kernel or a seccomp profile answers to a call that it does not know. Root is refused no directory."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW = _How(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)


def open_below(root: int, path: str) -> int:
    """As `open_path`, by the kernel where it can."""
    how, size = ctypes.byref(_HOW), ctypes.c_size_t(ctypes.sizeof(_HOW))
    for _ in range(_RACES_MAX):
        found = int(_libc.syscall(_OPENAT2, root, os.fsencode(path), how, size))
        if found >= 0:
            return found
        if (number := ctypes.get_errno()) != errno.EAGAIN:
            break
    if number in _NO_OPENAT2:
        return open_path(root, path)
    raise OSError(number, os.strerror(number), path)


def open_child(parent: int, name: bytes) -> int:
    """The directory `name` in `parent`. Raises OSError; EXDEV: something is mounted there."""
    try:
        return openat2.open_child(parent, name)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    if mount_id(fd) != mount_id(parent):
        os.close(fd)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), os.fsdecode(name))
    return fd


def mount_id(fd: int) -> int:
    """Which mount the descriptor is in; 0 where the kernel does not say (before Linux 3.15)."""
    for line in Path(f"/proc/thread-self/fdinfo/{fd}").read_text().splitlines():
        if line.startswith("mnt_id:"):
            return int(line.split()[1])
    return 0


def open_path(root: int, path: str) -> int:
    """An O_PATH descriptor of what is at `path` below the directory `root`. Raises OSError with `path` as its
    filename: as open(2) does, ELOOP for too many links, ENAMETOOLONG for too deep a path.
    """
    try:
        with _Walk(root) as walk:
            return walk.to(path)
    except OSError as error:
        raise OSError(error.errno, reason(error), path) from error


class _Walk(ExitStack):
    """Where it is: `_held` are the directories from the root to here."""

    def __init__(self, root: int) -> None:
        super().__init__()
        self._held = [root]
        self._links = 0

    def to(self, path: str) -> int:
        names = _names(path)
        last = self._held[0]
        while names:
            name = names.pop()
            if name in (".", ".."):
                if name == "..":
                    del self._held[max(1, len(self._held) - 1) :]
                last = self._held[-1]
                continue
            last = self._open(name)
            mode = os.fstat(last).st_mode
            if stat.S_ISLNK(mode):
                names += self._follow(last)
                last = self._held[-1]
            elif stat.S_ISDIR(mode):
                self._enter(last)
            elif names:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return os.dup(last)

    def _open(self, name: str) -> int:
        found = os.open(name, _NAME, dir_fd=self._held[-1])
        self.callback(os.close, found)
        return found

    def _enter(self, directory: int) -> None:
        if len(self._held) >= DEPTH_MAX:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        self._held.append(directory)

    def _follow(self, link: int) -> list[str]:
        """The names of its target, the first one last."""
        self._links += 1
        if self._links > LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink("", dir_fd=link)
        if target.startswith("/"):
            del self._held[1:]
        return _names(target)


def _names(path: str) -> list[str]:
    """In the order in which `pop` is to give them; a slash at the end demands a directory, as a dot does."""
    parts = (f"{path}." if path.endswith("/") else path).split("/")
    return [name for name in reversed(parts) if name]
