"""Removal of a directory of mounts: everything is unmounted, and what the mounts stood on is removed.

Nothing else is removed: neither a file with content nor anything in a mount that appears meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from executor import beneath
from executor.own_directory import DIRECTORY
from executor.volumes import host_mounts, mountinfo

DEPTH_MAX: Final = 16
"""Levels of directories, for each of which a descriptor is open. The executor makes three."""


def remove(directory: Path) -> int:
    """Unmount everything below `directory` and remove it. How many mounts there were; nothing there is success. Raises
    OSError: ENOTEMPTY for a file with content, EXDEV for something that is mounted there meanwhile.
    """
    for mount in mountinfo.shared_with_others(directory):
        host_mounts.make_private(Path(mount.point))
    mounts = mountinfo.below(directory)
    for mount in reversed(mounts):
        host_mounts.unmount(Path(mount.point))
    remove_empty(directory)
    return len(mounts)


def remove_empty(directory: Path) -> None:
    """Remove a tree of empty directories and empty files; nothing there is success. Raises OSError as `remove`."""
    try:
        root = os.open(directory, DIRECTORY)
    except FileNotFoundError:
        return
    try:
        _empty(root, directory, 1)
    finally:
        os.close(root)
    directory.rmdir()


def _empty(fd: int, path: Path, depth: int) -> None:
    """Remove what is in the directory `fd`, whose `path` is for messages."""
    if depth > DEPTH_MAX:
        raise OSError(errno.ENOTEMPTY, f"is deeper than {DEPTH_MAX} directories", str(path))
    for name in os.listdir(fd):
        with _errors_at(path / name):
            below = _taken(fd, name)
        if below is None:
            continue
        try:
            _empty(below, path / name, depth + 1)
        finally:
            os.close(below)
        with _errors_at(path / name):
            os.rmdir(name, dir_fd=fd)


def _taken(fd: int, name: str) -> int | None:
    """A descriptor of a directory, on the same mount; what is none is removed."""
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return beneath.open_child(fd, os.fsencode(name))
    if found.st_size and not stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ENOTEMPTY, "is a file with content, which no mount stood on", name)
    os.unlink(name, dir_fd=fd)
    return None


@contextlib.contextmanager
def _errors_at(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
