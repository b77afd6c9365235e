"""The program that keeps a PID namespace in being."""

from __future__ import annotations

import struct

import pytest

from executor.pod.container.pid_keeper import MACHINES, program


@pytest.mark.parametrize("machine", MACHINES)
def test_a_static_executable_with_nothing_but_code(machine: str) -> None:
    made = program(machine)
    number, _, code = MACHINES[machine]
    assert made.startswith(b"\x7fELF\x02\x01\x01") and made.endswith(code)
    kind, of_machine, _, entry, headers = struct.unpack_from("<HHIQQ", made, 16)
    loaded, flags, offset, address, _, in_file, in_memory = struct.unpack_from("<IIQQQQQ", made, headers)
    assert (kind, of_machine) == (2, number)
    assert (loaded, flags, offset) == (1, 5, 0), "read and execute"
    assert made[entry - address :] == code
    assert in_file == in_memory == len(made)


def test_another_machine_has_none() -> None:
    with pytest.raises(KeyError):
        program("riscv64")
