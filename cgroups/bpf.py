"""bpf(2), which Python lacks: programs that the kernel asks about each device that a process of a cgroup2 group opens.

Every program of a group and of the groups above it must allow it (cgroup-v2.rst, "Device controller").
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_NUMBERS = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _PROG_ATTACH = 5, 8
_PROG_TYPE_CGROUP_DEVICE = 15
_CGROUP_DEVICE = 6
_F_ALLOW_MULTI, _F_REPLACE = 2, 4
_INSTRUCTION_BYTES = 8
_LICENSE = b"Dual MIT/GPL\0"
"""Only programs that call certain functions of the kernel must name one of those that it knows."""
_NAME = b"mpe_devices"
"""For `bpftool prog`."""

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def load(code: bytes) -> int:
    """A descriptor of the program, closed on exec. It lives as long as that, or a group, holds it. Raises OSError:
    EPERM without CAP_SYS_ADMIN (Linux before 5.11: also at RLIMIT_MEMLOCK), EINVAL for a program that the kernel does
    not accept or without CONFIG_CGROUP_BPF, ENOSYS without bpf(2).
    """
    instructions, terms = ctypes.create_string_buffer(code), ctypes.create_string_buffer(_LICENSE)
    addresses = ctypes.addressof(instructions), ctypes.addressof(terms)
    count = len(code) // _INSTRUCTION_BYTES
    return _bpf(_PROG_LOAD, "=IIQQIIQII16s", _PROG_TYPE_CGROUP_DEVICE, count, *addresses, 0, 0, 0, 0, 0, _NAME)


def attach(directory: int, program: int) -> None:
    """Beside those that the group has, for as long as it exists; nothing changes for a group that has this one. Raises
    OSError: EPERM also where the group has one that allows no other beside it.
    """
    try:
        _bpf(_PROG_ATTACH, "=IIII", directory, program, _CGROUP_DEVICE, _F_ALLOW_MULTI)
    except OSError as error:
        if error.errno != errno.EINVAL or not _is_attached(directory, program):
            raise


def _is_attached(directory: int, program: int) -> bool:
    """The kernel puts a program in its own place, if the group has it (Linux 5.6)."""
    try:
        _bpf(_PROG_ATTACH, "=IIIII", directory, program, _CGROUP_DEVICE, _F_ALLOW_MULTI | _F_REPLACE, program)
    except OSError:
        return False
    return True


def _bpf(command: int, layout: str, *fields: object) -> int:
    """`layout` is that of the command's part of union bpf_attr (linux/bpf.h)."""
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    attributes = struct.pack(layout, *fields)
    found: int = _syscall(number, command, attributes, ctypes.c_uint(len(attributes)))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found
