"""The logs of a pod that used too much disk: only their ends are kept, for they still count after the pod's end."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection
from typing import Final

from executor.own_directory import OwnDirectory, open_file

KEEP_BYTES: Final = 64 << 10
"""The end of each stream's newest file."""
_STREAMS: Final = ("stdout", "stderr")


def cut(directory: OwnDirectory, containers: Collection[str]) -> int:
    """Removes rotated files and all but the end of the newest; bytes removed. Raises OSError.

    The newest file is replaced, not truncated: who still has it open writes to the removed one.
    """
    try:
        opened = directory.opened()
    except FileNotFoundError:  # it ends before it was set up
        return 0
    with opened as descriptor:
        names = [name for name in os.listdir(descriptor) if _is_log(name, containers)]  # noqa: PTH208
        return sum(_cut_one(descriptor, name) for name in names)


def _is_log(name: str, containers: Collection[str]) -> bool:
    container, _, rest = name.partition(".")
    return container in containers and rest.partition(".")[0] in _STREAMS


def _cut_one(directory: int, name: str) -> int:
    """Bytes removed; a link, and what is not a regular file, stays."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return 0
    if name.count(".") > 1:  # an older one
        os.unlink(name, dir_fd=directory)
        return status.st_size
    if status.st_size <= KEEP_BYTES:
        return 0
    _keep_end(directory, name)
    return status.st_size - KEEP_BYTES


def _keep_end(directory: int, name: str) -> None:
    new = f".{name}.new"
    with os.fdopen(open_file(directory, name, os.O_RDONLY), "rb") as file:
        file.seek(-KEEP_BYTES, os.SEEK_END)
        end = file.read(KEEP_BYTES)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=directory)
        with os.fdopen(open_file(directory, new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(end)
        os.rename(new, name, src_dir_fd=directory, dst_dir_fd=directory)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f".{name}.times", dir_fd=directory)  # its places (executor.output.times) are not right any more
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=directory)
        os.unlink(name, dir_fd=directory)  # a full disk has no room for the copy
        raise
