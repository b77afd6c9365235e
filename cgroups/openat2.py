"""openat2(2), which Python lacks: one system call opens a path in which no symbolic link is followed."""

from __future__ import annotations

import ctypes
import os

_NUMBER = 437  # on every architecture
_RESOLVE_NO_XDEV = 0x01
_RESOLVE_NO_SYMLINKS = 0x04
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_DIRECTORY = _How(os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
_BELOW = _How(_DIRECTORY.flags | os.O_NOFOLLOW, 0, _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_XDEV)
_SIZE = ctypes.c_size_t(ctypes.sizeof(_How))


def open_directory(path: str) -> int | None:
    """A descriptor of the directory `path`, absolute. None: this kernel (before 5.6) or path does not allow it."""
    fd: int = _syscall(_NUMBER, _AT_FDCWD, os.fsencode(path), ctypes.byref(_DIRECTORY), _SIZE)
    return fd if fd >= 0 else None


def works() -> bool:
    """Linux 5.6 and later, unless a seccomp filter forbids it."""
    fd = open_directory("/")
    if fd is not None:
        os.close(fd)
    return fd is not None


def open_child(parent: int, name: bytes) -> int:
    """The directory `name` in the directory `parent`, on the same mount. Raises OSError: EXDEV at a mount point, ENOSYS
    on a kernel before 5.6.
    """
    fd: int = _syscall(_NUMBER, parent, name, ctypes.byref(_BELOW), _SIZE)
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(name))
    return fd
