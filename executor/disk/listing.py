"""getdents64(2): a directory's entries with the offset after each, so that a listing can go on later.

os.scandir tells no offset. With it, whoever walks a tree remembers one number for each level, however many entries a
directory has.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from typing import Final

from executor.errors import Failure

BUFFER_BYTES: Final = 32768
_NUMBERS: Final = {"x86_64": 217, "aarch64": 61, "ppc64le": 202, "s390x": 220, "riscv64": 61}
_HEAD: Final = struct.Struct("=QqHB")  # linux_dirent64: inode, offset of the next entry, length, type
_DIRECTORY: Final = 4  # DT_DIR
_UNKNOWN: Final = 0  # DT_UNKNOWN: this file system does not tell

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


@dataclass(frozen=True, slots=True)
class Entry:
    name: bytes
    inode: int
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

    def entries(self, fd: int, offset: int) -> list[Entry]:
        """The next entries from `offset` on (0: the first), without . and ..; none at the end. Raises OSError."""
        os.lseek(fd, offset, os.SEEK_SET)
        while True:
            length: int = _syscall(self._number, fd, self._buffer, BUFFER_BYTES)
            if length < 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            found = _entries(self._buffer.raw[:length])
            if found or not length:
                return found


def _entries(data: bytes) -> list[Entry]:
    found, at = [], 0
    while at < len(data):
        inode, next_offset, length, kind = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size
        name = data[begin : data.index(0, begin)]
        if name not in (b".", b".."):
            found.append(Entry(name, inode, next_offset, kind in (_DIRECTORY, _UNKNOWN)))
        at += length
    return found
