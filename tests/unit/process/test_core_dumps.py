"""A crash of the executor leaves no file with the secrets of its pods."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

CRASH = "import os, resource; {before}; os.abort()"
FORBIDDEN = "from executor.process.run import forbid_core_dumps; forbid_core_dumps()"


def dumped(before: str, directory: Path) -> bool:
    """Whether the kernel says that it has written, or handed to a program, the memory of a process that crashed."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    line = [sys.executable, "-c", CRASH.format(before=before)]
    with subprocess.Popen(
        line,
        cwd=directory,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),  # noqa: PLW1509 one thread
    ) as process:
        _, status = os.waitpid(process.pid, 0)
        process.returncode = status
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


def test_a_crash_writes_no_core_dump(tmp_path: Path) -> None:
    if not dumped("pass", tmp_path):
        pytest.skip("this node writes no core dumps anyway (core(5), RLIMIT_CORE)")
    assert not dumped(FORBIDDEN, tmp_path)
    assert dumped("resource.setrlimit(resource.RLIMIT_CORE, (4096 * 1000, 4096 * 1000))", tmp_path)


def test_a_limit_of_one_byte_also_keeps_programs_that_take_dumps_from_starting() -> None:
    """0 would not (fs/coredump.c): the kernel starts such a program of core_pattern in spite of it."""
    code = f"import resource; {FORBIDDEN}; print(*resource.getrlimit(resource.RLIMIT_CORE))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    soft, hard = map(int, found.stdout.split())
    assert soft == (1 if hard != 0 else 0)
