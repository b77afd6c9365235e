"""A process that is held: alive, signalled, ended; on kernels with pidfds and, by a seccomp filter, without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cgroups.held import stat_fields
from tests.support import without_syscalls
from tests.support.sources import ROOT


@pytest.mark.skipif(os.geteuid() != 0, reason="a seccomp filter needs CAP_SYS_ADMIN")
@pytest.mark.parametrize("names", ["", "pidfd_open", "pidfd_open,pidfd_send_signal"])
def test_a_process_is_held_without_system_calls(names: str) -> None:
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).with_name("held_inside.py")),
    ]
    line = [*without_syscalls.PREFIX, names, "--", *line] if names else line
    environment = {**os.environ, "MPE_TEST_WITHOUT": names or "none"}
    ran = subprocess.run(line, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "5 passed" in ran.stdout, ran.stdout


def test_the_name_of_a_process_is_skipped() -> None:
    for name in (b"sh", b"a) R 1 2 (b", b"\xff\r"):
        assert stat_fields(b"7 (" + name + b") S 4 5")[0] == b"S"
