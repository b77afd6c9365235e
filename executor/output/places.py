"""The files of one log, and how its writer and its readers agree on them.

A log is `<file>` and the older `<file>.1` (the latest), `.2`, ... Readers count bytes from the first one that was ever
written. `.<file>.moved` holds how many of them are not in `<file>` any more; names, sizes and this number change
together under the lock (flock(2)) of that file, which readers share.
"""

from __future__ import annotations

import fcntl
import os
import time

from executor.own_directory import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from executor.own_directory import OwnDirectory

_NUMBER_BYTES = 20
READER_S = 0.5
"""How long a reader that holds the lock is waited for: a log without a bound is worse than a reader's gap."""


def older(name: str, number: int) -> str:
    """The name of the `number`-th file before this one."""
    return f"{name}.{number}"


def moved(name: str) -> str:
    """The name of the file with the number of bytes that are not in this one any more."""
    return f".{name}.moved"


def moved_bytes(directory: OwnDirectory, name: str) -> int:
    """How many bytes that were written to this log are not in `name` any more; exact while its lock is held."""
    try:
        file = directory.open_file(moved(name), os.O_RDONLY)
    except OSError:
        return 0
    try:
        return _number(file)
    finally:
        os.close(file)


def _number(file: int) -> int:
    try:
        return int(os.pread(file, _NUMBER_BYTES, 0))
    except ValueError:  # empty: nothing was moved yet
        return 0


class Reading:
    """The block in which names, sizes and number belong together: no rotation comes meanwhile."""

    def __init__(self, directory: OwnDirectory, name: str) -> None:
        self._directory, self._name = directory, name
        self._file = -1

    def __enter__(self) -> None:
        try:
            self._file = self._directory.open_file(moved(self._name), os.O_RDONLY)
        except OSError:
            return  # never rotated
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)


class Moving:
    """The block in which a rotation renames files: readers wait, but the writer does not wait long for them.

    Raises OSError where the file with the number cannot be opened.
    """

    def __init__(self, directory: int, name: str) -> None:
        """`directory` is a descriptor."""
        self._directory, self._name = directory, name
        self._file = -1

    def __enter__(self) -> Self:
        self._file = open_file(self._directory, moved(self._name), os.O_RDWR | os.O_CREAT)
        deadline_s = time.monotonic() + READER_S
        while time.monotonic() < deadline_s:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.001)
        return self

    def count(self, size_bytes: int) -> None:
        """So many more are in older files, or nowhere. Raises OSError."""
        os.pwrite(self._file, b"%020d" % (_number(self._file) + size_bytes), 0)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
