"""hostPath volumes: that a path of the node is what the pod says it is, made where the pod says so.

Below a directory that the policy allows (`beneath`) nothing is a symbolic link: a writer there would lead the
executor out of it. Each name is opened without following it, and what was found is a descriptor, so that nothing that
is exchanged afterwards changes what is mounted. Without such a directory the pod may mount every path of the node, and
links are followed.
Source: Kubernetes, "Volumes", hostPath types. What is made here belongs to the node and stays after the pod.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from executor.errors import Failure, reason
from executor.own_directory import Opened
from executor.spec.volume_model import HostPath
from executor.volumes.closed_directories import ClosedDirectories

DIRECTORY_MODE: Final = 0o755
FILE_MODE: Final = 0o644
_NEW_FILE: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
_PATH: Final = os.O_PATH | os.O_CLOEXEC
_LINK: Final = "it, or a directory above it, is a symbolic link, which the policy does not follow"

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
    """Make what the type says to make, then check what is there; idempotent. Raises Failure as `opened`."""
    with opened(volume):
        return


def opened(volume: HostPath) -> Opened:
    """An O_PATH descriptor of the volume, after `ensure`.

    Raises Failure with the path as subject: nothing there, of another type, not to be made, or not followed.
    """
    try:
        closed = ClosedDirectories(volume.closed)
        found = _beneath(volume, closed) if volume.beneath else _anywhere(volume)
    except OSError as error:
        raise _failure(volume, _LINK if error.errno == errno.ELOOP else reason(error)) from error
    try:
        if not _IS[volume.type](os.fstat(found).st_mode):
            raise _failure(volume, f"is no {volume.type.removesuffix('OrCreate')}")
        _check_closed(found, volume, closed, around=bool(volume.beneath))
    except OSError as error:
        os.close(found)
        raise _failure(volume, reason(error)) from error
    except BaseException:
        os.close(found)
        raise
    return Opened(found)


def _check_closed(found: int, volume: HostPath, closed: ClosedDirectories, *, around: bool) -> None:
    """Judges what was opened. Raises Failure for one in a closed directory, and with `around` for one that has such a
    directory in it. Raises OSError.
    """
    if (shown := closed.shown_by(found, around=around)) is not None:
        hint = "no pod gets this directory: name another one"
        raise Failure(f"would show {shown}, for the volume {volume.name}", subject=volume.path, hint=hint)


def _anywhere(volume: HostPath) -> int:
    path = Path(volume.path)
    if volume.makes_missing:
        if not path.exists():
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    elif volume.type == "FileOrCreate":
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, _NEW_FILE, FILE_MODE))
    return os.open(path, _PATH)


def _beneath(volume: HostPath, closed: ClosedDirectories) -> int:
    """The allowed directory itself may be behind links: an operator names it."""
    names = PurePosixPath(volume.path).relative_to(volume.beneath).parts
    found = os.open(volume.beneath, _PATH)
    for number, name in enumerate(names, 1):
        with Opened(found) as above:
            _check_closed(above, volume, closed, around=False)
            _make(above, name, volume, is_last=number == len(names))
            found = _entered(above, name)
    return found


def _make(above: int, name: str, volume: HostPath, *, is_last: bool) -> None:
    try:
        if volume.makes_missing:
            os.mkdir(name, DIRECTORY_MODE, dir_fd=above)
        elif volume.type == "FileOrCreate" and is_last:
            os.close(os.open(name, _NEW_FILE, FILE_MODE, dir_fd=above))
    except FileExistsError:
        return


def _entered(above: int, name: str) -> int:
    if name == "..":
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    found = os.open(name, _PATH | os.O_NOFOLLOW, dir_fd=above)
    if stat.S_ISLNK(os.fstat(found).st_mode):
        os.close(found)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return found


def _failure(volume: HostPath, problem: str) -> Failure:
    hint = f"make it on the node, or change the volume's type {volume.type!r}"
    if problem == _LINK:
        hint = f"name the path to which it leads; the pod may use {volume.beneath} and what is in it"
    return Failure(f"{problem}, for the volume {volume.name}", subject=volume.path, hint=hint)
