"""Devices that the processes of a group may not open, also those that its runtime allows.

v1: a line in `devices.deny` for each (cgroup-v1/devices.rst). v2 has no such file: a program beside those of the
runtime, which says no to these devices alone. Where v1 has the devices controller, it is enough: the kernel asks both.
To make a node of a device stays as it was, as runc has it: archives of root file systems have nodes, and a node that
cannot be opened does no harm.
"""

from __future__ import annotations

import errno
import struct
import threading
from collections.abc import Sequence
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


def program(devices: Sequence[CharacterDevice]) -> bytes:
    """Returns 0 where a process opens one of these devices, else 1."""
    result, context, word, minor = 0, 1, 2, 3
    code = [
        _instruction(_MOVE, result, value=1),
        _instruction(_LOAD_WORD, word, context, offset=_ACCESS_TYPE),
        _instruction(_JUMP_IF_ANY_BIT, word, offset=1, value=_CHARACTER),
        _instruction(_EXIT),
        _instruction(_JUMP_IF_ANY_BIT, word, offset=1, value=_READ_OR_WRITE),
        _instruction(_EXIT),
        _instruction(_LOAD_WORD, word, context, offset=_MAJOR),
        _instruction(_LOAD_WORD, minor, context, offset=_MINOR),
    ]
    for device in devices:
        code += [
            _instruction(_JUMP_UNLESS_EQUAL, word, offset=3, value=device.major),
            _instruction(_JUMP_UNLESS_EQUAL, minor, offset=2, value=device.minor),
            _instruction(_MOVE, result, value=0),
            _instruction(_EXIT),
        ]
    return b"".join([*code, _instruction(_EXIT)])


CONSOLE: Final = CharacterDevice(5, 1)
"""The node's console, on which people type. A container's own /dev/console is another device."""
TUN: Final = CharacterDevice(10, 200)
"""/dev/net/tun: who opens it in the node's network may join an interface that a virtual machine of the node uses."""

_loading = threading.Lock()
_loaded: dict[tuple[CharacterDevice, ...], int] = {}
"""Descriptors of programs, as long as this process lives."""


def close(group: Cgroup, devices: Sequence[CharacterDevice]) -> None:
    """No process here or below opens one of them from now on. May be repeated. Raises CgroupError, and the group is as
    open as it was then; on v1 those before the one that failed are closed.
    """
    point = group.hierarchies.v1.get(_CONTROLLER)
    if point is not None:
        with Directory.open(point, group.path) as directory:
            for device in devices:
                directory.write("devices.deny", device.rule)
        return
    if group.hierarchies.unified is None:
        raise CgroupError(errno.ENODEV, "no hierarchy controls devices", path=group.path, hint="mount that of devices")
    with Directory.open(group.hierarchies.unified, group.path) as directory:
        loaded = _program(devices, directory.path)
        try:
            bpf.attach(directory.fd, loaded)
        except OSError as error:
            raise _refused(error, directory.path, devices) from error


def refusal(hierarchies: Hierarchies, devices: Sequence[CharacterDevice]) -> str:
    """Why no group can be closed to them, as far as it can be known without one; empty: nothing speaks against it."""
    if _CONTROLLER in hierarchies.v1:
        return ""
    try:
        _program(devices, str(hierarchies.unified))
    except CgroupError as error:
        return str(error)
    return ""


def _program(devices: Sequence[CharacterDevice], path: str) -> int:
    with _loading:
        key = tuple(devices)
        if key not in _loaded:
            try:
                _loaded[key] = bpf.load(program(devices))
            except OSError as error:
                raise _refused(error, path, devices) from error
        return _loaded[key]


def _refused(error: OSError, path: str, devices: Sequence[CharacterDevice]) -> CgroupError:
    rules = ", ".join(device.rule for device in devices)
    return translated(error, path, data=f"a program that denies {rules}", hint=_HINT)


def _instruction(operation: int, target: int = 0, source: int = 0, *, offset: int = 0, value: int = 0) -> bytes:
    """struct bpf_insn of a little-endian machine."""
    return struct.pack("<BBhi", operation, target | source << 4, offset, value)
