"""The node's own file system as that of a container: for Mesos tasks that name no image.

The container's root is an empty directory, and each directory of the node's root is mounted in it, with what is mounted
there now and later. /proc, /sys and /dev are the container's own. So is /run, where sockets and the mounts of other
containers are, and /mnt/mesos, where the sandbox of the task is: nothing is made on the node for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_OWN: Final = ("/proc", "/sys", "/dev", "/run", "/lost+found")
_DIVIDED: Final = "/mnt"
_SANDBOXES: Final = "/mnt/mesos"


def directories(root: Path = Path("/")) -> tuple[tuple[str, str], ...]:
    """Where each directory is in the container, and which one of the node it is. Raises OSError."""
    return tuple(_found(root, "/"))


def _found(root: Path, place: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(Path(root, place.lstrip("/")).iterdir()):
        path = str(PurePosixPath(place, entry.name))
        if path == _DIVIDED and not entry.is_symlink():
            yield from _found(root, path)
        elif path not in (*_OWN, _SANDBOXES) and entry.is_dir():
            source = os.path.realpath(entry)
            if not _is_own(source):
                yield path, source


def _is_own(path: str) -> bool:
    return any(path == own or path.startswith(f"{own}/") for own in _OWN)
