"""getdents64(2): a directory's entries with the offset after each, so that a listing can go on later.

os.scandir tells no offset. With it, a walk through a tree remembers one number for each level, however many entries a
directory has.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from executor.errors import Failure

BUFFER_BYTES: Final = 32768
FEW_BYTES: Final = 2048
"""For a listing that goes on after a directory was entered: the next one may be the next entry."""
_NUMBERS: Final = {"x86_64": 217, "aarch64": 61, "ppc64le": 202, "s390x": 220, "riscv64": 61}
_HEAD: Final = struct.Struct("=QqHB")  # linux_dirent64: inode, offset of the next entry, length, type
_DIRECTORY: Final = 4  # DT_DIR
_UNKNOWN: Final = 0  # DT_UNKNOWN: this file system does not tell

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


@dataclass(frozen=True, slots=True)
class Entry:
    name: bytes
    next_offset: int
    """Where the listing goes on after this entry."""
    may_be_directory: bool


class Lister:
    """Holds one buffer, so it is for one thread at a time. Raises Failure on a machine whose call is not known."""

    def __init__(self) -> None:
        number = _NUMBERS.get(platform.machine())
        if number is None:
            raise Failure("getdents64 is not known for this machine", subject=platform.machine())
        self._number = number
        self._buffer = ctypes.create_string_buffer(BUFFER_BYTES)

    def entries(self, fd: int, offset: int, *, few: bool = False) -> Iterator[Entry]:
        """The next entries from `offset` on (0: the first), . and .. among them; none at the end. Raises OSError."""
        os.lseek(fd, offset, os.SEEK_SET)
        length: int = _syscall(self._number, fd, self._buffer, FEW_BYTES if few else BUFFER_BYTES)
        if length < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return _entries(ctypes.string_at(self._buffer, length))


def _entries(data: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(data):
        _, next_offset, length, kind = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size
        yield Entry(data[begin : data.index(0, begin)], next_offset, kind in (_DIRECTORY, _UNKNOWN))
        at += length
