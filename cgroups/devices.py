"""A device that the processes of a group may not open, whatever its runtime allowed.

v1: a line in `devices.deny` (cgroup-v1/devices.rst). v2 has no such file: a program beside those of the runtime, which
says no to this device alone. Where v1 has the devices controller, it is enough: the kernel asks both. To make a node of
the device stays as it was, as runc has it: archives of root file systems have nodes, and a node that nobody opens does
no harm.
"""

from __future__ import annotations

import errno
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cgroups import bpf
from cgroups.errors import CgroupError, translated
from cgroups.files import Directory

if TYPE_CHECKING:
    from cgroups.group import Cgroup
    from cgroups.mounts import Hierarchies

_CONTROLLER = "devices"
_HINT = "bpf(2) needs CONFIG_CGROUP_BPF in the kernel, CAP_SYS_ADMIN, and no seccomp filter that forbids it"

# linux/bpf_common.h, linux/bpf.h; uapi struct bpf_cgroup_dev_ctx: access_type, major, minor
_MOVE, _LOAD_WORD, _EXIT = 0xB7, 0x61, 0x95
_JUMP_IF_ANY_BIT, _JUMP_UNLESS_EQUAL = 0x45, 0x55
_ACCESS_TYPE, _MAJOR, _MINOR = 0, 4, 8
_CHARACTER = 2
_READ_OR_WRITE = (2 | 4) << 16


@dataclass(frozen=True)
class CharacterDevice:
    major: int
    minor: int

    @property
    def rule(self) -> str:
        """As `devices.deny` reads it."""
        return f"c {self.major}:{self.minor} rw"

    @property
    def program(self) -> bytes:
        """Returns 0 where a process opens this device, else 1."""
        result, context, word = 0, 1, 2
        return b"".join(
            [
                _instruction(_MOVE, result, value=1),
                _instruction(_LOAD_WORD, word, context, offset=_ACCESS_TYPE),
                _instruction(_JUMP_IF_ANY_BIT, word, offset=1, value=_CHARACTER),
                _instruction(_EXIT),
                _instruction(_JUMP_IF_ANY_BIT, word, offset=1, value=_READ_OR_WRITE),
                _instruction(_EXIT),
                _instruction(_LOAD_WORD, word, context, offset=_MAJOR),
                _instruction(_JUMP_UNLESS_EQUAL, word, offset=3, value=self.major),
                _instruction(_LOAD_WORD, word, context, offset=_MINOR),
                _instruction(_JUMP_UNLESS_EQUAL, word, offset=1, value=self.minor),
                _instruction(_MOVE, result, value=0),
                _instruction(_EXIT),
            ]
        )


CONSOLE: Final = CharacterDevice(5, 1)
"""The node's console, on which people type. A container's own /dev/console is another device."""

_loading = threading.Lock()
_loaded: dict[CharacterDevice, int] = {}
"""Descriptors of programs, as long as this process lives."""


def close(group: Cgroup, device: CharacterDevice) -> None:
    """No process here or below opens it from now on. Once for each group that is made. Raises CgroupError, and it is as
    open as it was then.
    """
    point = group.hierarchies.v1.get(_CONTROLLER)
    if point is not None:
        with Directory.open(point, group.path) as directory:
            directory.write("devices.deny", device.rule)
        return
    if group.hierarchies.unified is None:
        raise CgroupError(errno.ENODEV, "no hierarchy controls devices", path=group.path, hint="mount that of devices")
    with Directory.open(group.hierarchies.unified, group.path) as directory:
        program = _program(device, directory.path)
        try:
            bpf.attach(directory.fd, program)
        except OSError as error:
            raise _refused(error, directory.path, device) from error


def refusal(hierarchies: Hierarchies, device: CharacterDevice) -> str:
    """Why no group can be closed to it, as far as it can be known without one; empty: nothing speaks against it."""
    if _CONTROLLER in hierarchies.v1:
        return ""
    try:
        _program(device, str(hierarchies.unified))
    except CgroupError as error:
        return str(error)
    return ""


def _program(device: CharacterDevice, path: str) -> int:
    with _loading:
        if device not in _loaded:
            try:
                _loaded[device] = bpf.load(device.program)
            except OSError as error:
                raise _refused(error, path, device) from error
        return _loaded[device]


def _refused(error: OSError, path: str, device: CharacterDevice) -> CgroupError:
    return translated(error, path, data=f"a program that denies {device.rule}", hint=_HINT)


def _instruction(operation: int, target: int = 0, source: int = 0, *, offset: int = 0, value: int = 0) -> bytes:
    """struct bpf_insn of a little-endian machine."""
    return struct.pack("<BBhi", operation, target | source << 4, offset, value)
