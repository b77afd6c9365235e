"""A part of a volume, as a descriptor of what it is now: no link in the volume leads out of it, and nothing that a
container swaps meanwhile changes what was found.

A part that is not there is made as a directory, with the mode of the volume's root, as kubelet does.
Source: Kubernetes, pkg/volume/util/subpath (doSafeOpen, doSafeMakeDir).
"""

from __future__ import annotations

import errno
import os
import stat

from executor import beneath
from executor.own_directory import Opened


def open_part(root: int, part: str, *, make: bool = True) -> int:
    """An O_PATH descriptor of `part` (without ..) below the volume `root`. `make`: missing directories are made. Raises
    OSError.
    """
    if not part:
        return os.dup(root)
    if not stat.S_ISDIR(os.fstat(root).st_mode):
        raise OSError(errno.ENOTDIR, "is not a directory, and so has no parts")
    try:
        return beneath.open_below(root, part)
    except FileNotFoundError:
        if not make:
            raise
        return _made(root, part.split("/"))


def _made(root: int, names: list[str]) -> int:
    """Name by name from the root; what is there is entered as `beneath` does, so that a link stays in the volume."""
    mode, at = stat.S_IMODE(os.fstat(root).st_mode), os.dup(root)
    for depth, name in enumerate(names, 1):
        with Opened(at) as above:
            try:
                at = beneath.open_below(root, "/".join(names[:depth]))
            except FileNotFoundError:
                at = _directory(above, name, mode)
    return at


def _directory(at: int, name: str, mode: int) -> int:
    """Raises FileNotFoundError for a link that leads nowhere, as ENOTDIR."""
    try:
        os.mkdir(name, dir_fd=at)
    except FileExistsError:  # a link that leads nowhere, or made by a container just now
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    made = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    os.fchmod(made, mode)
    return made
