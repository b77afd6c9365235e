"""Directories by descriptor: no symbolic link is followed and no mount point is crossed, bind mounts included.

openat2(2) does both in one call. Without it (Linux before 5.6, or a seccomp profile that does not know it) the mount
ids of parent and child in /proc/self/fdinfo are compared.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from cgroups import openat2
from executor.own_directory import DIRECTORY, Identity, OwnDirectory, identity

_REFUSED: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL})
"""What a kernel or a seccomp profile answers to a call that it does not know. Root is refused no directory."""


def open_root(path: Path | OwnDirectory) -> int:
    """The directory at `path`, whose last name is no symbolic link. Raises OSError."""
    return path.open() if isinstance(path, OwnDirectory) else os.open(path, DIRECTORY)


def open_child(parent: int, name: bytes) -> int:
    """The directory `name` in `parent`. Raises OSError; EXDEV: something is mounted there."""
    try:
        return openat2.open_child(parent, name)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    if _mount_id(fd) != _mount_id(parent):
        os.close(fd)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), os.fsdecode(name))
    return fd


def open_parent(fd: int, expected: Identity) -> int | None:
    """What `..` leads to; None if that is not the directory `expected`, for `fd` was moved. Raises OSError."""
    parent = os.open("..", DIRECTORY, dir_fd=fd)
    if identity(parent) == expected:
        return parent
    os.close(parent)
    return None


def _mount_id(fd: int) -> str:
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        if line.startswith("mnt_id:"):
            return line
    return ""
