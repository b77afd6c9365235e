"""inotify(7) through the C library, as far as kernfs needs it: the kernel reports a changed cgroup file as IN_MODIFY.

Owns one descriptor. Paths are given relative to a held directory, and a symbolic link is not followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

from cgroups.errors import translated
from cgroups.files import Directory

IN_MODIFY = 0x0000_0002
IN_IGNORED = 0x0000_8000
IN_Q_OVERFLOW = 0x0000_4000
_IN_DONT_FOLLOW = 0x0200_0000
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # IN_NONBLOCK and IN_CLOEXEC have the same values
_EVENT = struct.Struct("iIII")
_BUFFER_BYTES = 16384

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """A non-blocking inotify instance. `fd` becomes readable when a watched file has changed."""

    def __init__(self) -> None:
        self.fd: int = _libc.inotify_init1(_FLAGS)
        if self.fd < 0:
            raise _error("inotify", hint="raise fs.inotify.max_user_instances")

    def close(self) -> None:
        """Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def add(self, directory: Directory, name: str) -> int:
        """The watch descriptor of a file. Raises CgroupNotFound, or CgroupError at the limit of watches."""
        path = f"/proc/self/fd/{directory.fd}/{name}"
        watch: int = _libc.inotify_add_watch(self.fd, os.fsencode(path), IN_MODIFY | _IN_DONT_FOLLOW)
        if watch < 0:
            raise _error(f"{directory.path}/{name}", hint="raise fs.inotify.max_user_watches")
        return watch

    def remove(self, watch: int) -> None:
        """A watch that the kernel has dropped already is success."""
        _libc.inotify_rm_watch(self.fd, watch)

    def drain(self) -> Iterator[tuple[int, int]]:
        """(watch descriptor, mask) of everything that has happened; the descriptor is -1 for IN_Q_OVERFLOW."""
        while self.fd >= 0:
            try:
                data = os.read(self.fd, _BUFFER_BYTES)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                yield watch, mask


def _error(path: str, *, hint: str) -> OSError:
    code = ctypes.get_errno()
    limits = (errno.EMFILE, errno.ENOSPC)
    return translated(OSError(code, os.strerror(code)), path, hint=hint if code in limits else "")
