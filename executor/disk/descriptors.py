"""Directories by descriptor: no symbolic link is followed and no mount point is crossed, bind mounts included.

executor/beneath.py opens the directories in a directory.
"""

from __future__ import annotations

import os
from pathlib import Path

from executor.own_directory import DIRECTORY, Identity, OwnDirectory, identity


def open_root(path: Path | OwnDirectory) -> int:
    """The directory at `path`, whose last name is not a symbolic link. Raises OSError."""
    return path.open() if isinstance(path, OwnDirectory) else os.open(path, DIRECTORY)


def open_parent(fd: int, expected: Identity) -> int | None:
    """What `..` leads to; None if that is not the directory `expected`, for `fd` was moved. Raises OSError."""
    parent = os.open("..", DIRECTORY, dir_fd=fd)
    if identity(parent) == expected:
        return parent
    os.close(parent)
    return None
