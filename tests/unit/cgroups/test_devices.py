"""What closes devices to a group: the lines of v1, and the program of v2, here on a machine of its own."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from cgroups import Cgroup, CgroupError, CgroupNotFound, Hierarchies, devices
from cgroups.devices import CONSOLE, TUN, CharacterDevice, program

BLOCK, CHARACTER = 1, 2
MKNOD, READ, WRITE = 1, 2, 4
MOVE, LOAD_WORD, EXIT, JUMP_IF_ANY_BIT, JUMP_UNLESS_EQUAL = 0xB7, 0x61, 0x95, 0x45, 0x55


def answer(code: bytes, access: int, kind: int, major: int, minor: int) -> int:
    """As the kernel runs it: 0 denies. Registers 0 is the answer, 1 the context."""
    context = struct.pack("<III", access << 16 | kind, major, minor)
    instructions, registers, at = list(struct.iter_unpack("<BBhi", code)), [0] * 11, 0
    while True:
        operation, both, offset, value = instructions[at]
        target, source = both & 0xF, both >> 4
        at += 1
        if operation == EXIT:
            return registers[0]
        if operation == MOVE:
            registers[target] = value
        elif operation == LOAD_WORD:
            assert source == 1
            (registers[target],) = struct.unpack_from("<I", context, offset)
        elif operation == JUMP_IF_ANY_BIT:
            at += offset if registers[target] & value else 0
        else:
            assert operation == JUMP_UNLESS_EQUAL
            at += offset if registers[target] != value else 0


@pytest.mark.parametrize("access", [READ, WRITE, READ | WRITE, READ | MKNOD])
def test_the_program_denies_the_device(access: int) -> None:
    both, large = program((CONSOLE, TUN)), CharacterDevice(300, 2**20 - 1)
    assert answer(both, access, CHARACTER, 5, 1) == 0
    assert answer(both, access, CHARACTER, 10, 200) == 0
    assert answer(program((large,)), access, CHARACTER, 300, 2**20 - 1) == 0


@pytest.mark.parametrize(
    ("access", "kind", "major", "minor"),
    [
        (MKNOD, CHARACTER, 5, 1),
        (READ, BLOCK, 5, 1),
        (READ | WRITE, CHARACTER, 5, 0),
        (READ | WRITE, CHARACTER, 5, 2),
        (READ | WRITE, CHARACTER, 5, 200),
        (READ | WRITE, CHARACTER, 10, 1),
        (MKNOD, CHARACTER, 10, 200),
        (READ, BLOCK, 10, 200),
        (READ, CHARACTER, 1, 5),
        (WRITE, CHARACTER, 1, 3),
        (READ | WRITE | MKNOD, BLOCK, 8, 1),
        (0, CHARACTER, 5, 1),
    ],
)
def test_the_program_allows_everything_else(access: int, kind: int, major: int, minor: int) -> None:
    assert answer(program((CONSOLE, TUN)), access, kind, major, minor) == 1


def test_the_program_is_what_kernels_have_accepted() -> None:
    assert program((CONSOLE, TUN)).hex(" ", 8).split() == [
        "b700000001000000", "6112000000000000", "4502010002000000", "9500000000000000",
        "4502010000000600", "9500000000000000", "6112040000000000", "6113080000000000",
        "5502030005000000", "5503020001000000", "b700000000000000", "9500000000000000",
        "550203000a000000", "55030200c8000000", "b700000000000000", "9500000000000000",
        "9500000000000000",
    ]  # fmt: skip


def test_v1_gets_lines(tmp_path: Path) -> None:
    """Also on a hybrid node: there is no need for a program."""
    (tmp_path / "devices/app").mkdir(parents=True)
    denied = tmp_path / "devices/app/devices.deny"
    os.mkfifo(denied)
    pipe = os.open(denied, os.O_RDONLY | os.O_NONBLOCK)
    hierarchies = Hierarchies({"devices": tmp_path / "devices"}, tmp_path / "unified")
    devices.close(Cgroup(hierarchies, "/app"), (CONSOLE, TUN))
    assert os.read(pipe, 1000) == b"c 5:1 rwc 10:200 rw"
    os.close(pipe)
    assert devices.refusal(hierarchies, (CONSOLE,)) == ""
    with pytest.raises(CgroupNotFound, match="/gone"):
        devices.close(Cgroup(hierarchies, "/gone"), (CONSOLE,))


def test_what_cannot_be_closed_is_an_error(tmp_path: Path) -> None:
    """The kernel gives a program to no directory that is not a group's, and none at all to a user."""
    (tmp_path / "app").mkdir()
    with pytest.raises(CgroupError, match=r"/app: .* \(writing 'a program that denies c 5:1 rw'\); bpf\(2\) needs"):
        devices.close(Cgroup(Hierarchies(unified=tmp_path), "/app"), (CONSOLE,))
    with pytest.raises(CgroupError, match="no hierarchy controls devices"):
        devices.close(Cgroup(Hierarchies({"cpu": tmp_path}), "/app"), (CONSOLE,))
