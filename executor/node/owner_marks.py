"""The identity of an owner's lock in a directory that carries its name, as a symbolic link that names no file.

A link is made in one step and keeps its text through a crash: it is never empty or cut off.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from executor.names import MesosContainerId

MARK = ".owner"
MAKE_TRIES = 100

Marks = Mapping[MesosContainerId, frozenset[str]]
"""The texts on everything that carries an id; an empty one stands for a thing without a text."""


def put(directory: Path, text: str) -> None:
    """Makes the directory too. Replaces a mark of another text. Raises OSError."""
    for tries_left in range(MAKE_TRIES - 1, -1, -1):
        try:
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
            break
        except (FileNotFoundError, FileExistsError):  # another executor removes the empty directory above it just now
            if not tries_left:
                raise
    scratch = directory / f"{MARK}-{secrets.token_hex(4)}"
    scratch.symlink_to(text)
    scratch.rename(directory / MARK)


def read(directory: Path) -> str:
    """Empty if there is none."""
    try:
        return os.readlink(directory / MARK)  # noqa: PTH115  a text, not a path
    except OSError:
        return ""


def remove(directory: Path) -> None:
    """With the directory and the one above it, if nothing else is in them. What is not there is success. Raises
    OSError, ENOTEMPTY where something else is in the directory.
    """
    if not directory.is_dir():
        return
    things = [path.name for path in directory.iterdir() if not path.name.startswith(MARK)]
    if things:
        raise OSError(errno.ENOTEMPTY, f"still has {', '.join(sorted(things)[:5])}", str(directory))
    for path in directory.glob(f"{MARK}*"):
        path.unlink(missing_ok=True)
    directory.rmdir()
    with contextlib.suppress(OSError):
        directory.parent.rmdir()


def of_directories(parent: Path) -> Iterator[tuple[MesosContainerId, str]]:
    """Each directory in `parent` by the owner that it is called after, with its mark."""
    try:
        found = [path for path in parent.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return
    yield from ((MesosContainerId(path.name), read(path)) for path in found)
