"""Files that a process has removed and holds open still count."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from executor.disk.unlinked import OpenUnlinked
from executor.own_directory import OwnDirectory

SIZE_BYTES = 1 << 20
PROGRAM = """
import os, sys
held = []
for name in sys.argv[1:]:
    file = open(name, "wb")
    file.write(b"x" * (1 << 20))
    file.flush()
    held += [file, os.dup(file.fileno())]
    os.unlink(name)
kept = open(sys.argv[1] + ".kept", "wb")
kept.write(b"x" * (1 << 20))
kept.flush()
memory = os.memfd_create("memory")
os.write(memory, b"x" * (1 << 20))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(*paths: Path) -> Iterator[int]:
    """The pid of a process that holds these files, one with a name, and memory."""
    command = [sys.executable, "-c", PROGRAM, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid
        process.stdin.close()


def counted(work: OpenUnlinked) -> int:
    while not work.turn():
        pass
    work.close()
    return work.bytes


def test_each_file_counts_once(tmp_path: Path) -> None:
    pod = OwnDirectory.at(str(tmp_path))
    with holding(tmp_path / "a", tmp_path / "b") as pid, holding(tmp_path / "c") as other:
        assert counted(OpenUnlinked([pid], pod)) == 2 * SIZE_BYTES
        work = OpenUnlinked([pid, other, 2**22 + 1], pod)
        assert counted(work) == 3 * SIZE_BYTES and 0 < work.cpu_s < 1
    assert counted(OpenUnlinked([pid], pod)) == 0, "it has ended"


def test_files_of_host_paths_are_not_the_pods(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    pod = OwnDirectory.at(str(tmp_path))
    with holding(tmp_path / "host/a", tmp_path / "hostile") as pid:
        assert counted(OpenUnlinked([pid], pod, [str(tmp_path / "host")])) == SIZE_BYTES
