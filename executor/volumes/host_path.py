"""hostPath volumes: that a path of the node is what the pod says it is, made where the pod says so.

Source: Kubernetes, "Volumes", hostPath types. What is made here belongs to the node and stays after the pod.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from executor.errors import Failure, reason
from executor.spec.volume_model import HostPath

DIRECTORY_MODE = 0o755
FILE_MODE = 0o644

_IS: Mapping[str, Callable[[int], bool]] = {
    "": lambda _mode: True,
    "Directory": stat.S_ISDIR,
    "DirectoryOrCreate": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "FileOrCreate": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}


def ensure(volume: HostPath) -> None:
    """Make what the type says to make, then check what is there; idempotent.

    Raises Failure with the path as subject: nothing there, or of another type, or not to be made.
    """
    path = Path(volume.path)
    try:
        if volume.type == "DirectoryOrCreate":
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        elif volume.type == "FileOrCreate":
            path.touch(mode=FILE_MODE, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise _failure(volume, reason(error)) from error
    if not _IS[volume.type](mode):
        raise _failure(volume, f"is no {volume.type.removesuffix('OrCreate')}")


def _failure(volume: HostPath, problem: str) -> Failure:
    hint = f"make it on the node, or change the volume's type {volume.type!r}"
    return Failure(f"{problem}, for the volume {volume.name}", subject=volume.path, hint=hint)
