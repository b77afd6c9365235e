"""Runs a program on a kernel that lacks system calls: a seccomp filter answers ENOSYS to them, in all its children too.

    python -m tests.support.without_syscalls pidfd_open,openat2 -- PROGRAM ARGUMENT...

Needs CAP_SYS_ADMIN. Source: seccomp(2), Documentation/networking/filter.rst; numbers from 424 on are the same on every
architecture.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable

NUMBERS = {"pidfd_send_signal": 424, "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437}
ALL = ",".join(NUMBERS)
PREFIX = (sys.executable, "-m", "tests.support.without_syscalls")

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD_NUMBER = (0x20, 0, 0, 0)  # BPF_LD | BPF_W | BPF_ABS, of seccomp_data.nr
_JUMP_EQUAL, _RETURN = 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def program(numbers: Iterable[int]) -> bytes:
    """The filter as an array of sock_filter. Pure."""
    doomed = list(numbers)
    tests = [(_JUMP_EQUAL, len(doomed) - n, 0, number) for n, number in enumerate(doomed)]
    ends = [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    return b"".join(struct.pack("=HBBI", *each) for each in (_LOAD_NUMBER, *tests, *ends))


def take_away(names: Iterable[str]) -> None:
    """From this process, and from what it starts."""
    code = program(NUMBERS[name] for name in names)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl(PR_SET_SECCOMP)")


if __name__ == "__main__":
    names, dashes, *command = sys.argv[1:]
    assert dashes == "--" and command, __doc__
    take_away(names.split(","))
    os.execvp(command[0], command)
