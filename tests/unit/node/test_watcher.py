"""The shell that outlives an executor: what it does at the end of its pipe, and what after a line of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from executor.node.reaping.watcher import SCRIPT
from tests.support.rig import wait_for


@pytest.mark.parametrize(
    ("lines", "acts"),
    [(b"begin\n", True), (b"", True), (b"begin\nend\n", False), (b"begin\nbegin\nend\n", False)],
    ids=["died", "died at once", "clean end", "could not be started"],
)
def test_the_end_of_the_pipe_is_a_death(tmp_path: Path, lines: bytes, *, acts: bool) -> None:
    kill, begun = tmp_path / "cgroup.kill", tmp_path / "begun"
    reading, writing = os.pipe()
    command = ["sh", "-c", 'cat "$0" >"$1"', str(kill), str(begun)]
    alive, held = os.pipe()
    shell = subprocess.Popen(["/bin/sh", "-c", SCRIPT, "watcher", str(kill), *command], stdin=reading, pass_fds=[held])
    os.close(reading)
    os.close(held)
    if lines:
        os.write(writing, lines[:6])
        assert shell.wait(10) == 0  # the second shell has another parent
        assert not kill.exists() and not begun.exists()
        os.write(writing, lines[6:])
    os.close(writing)
    shell.wait(10)
    assert os.read(alive, 1) == b""  # both shells have ended
    os.close(alive)
    assert (kill.exists(), begun.exists()) == (acts, acts)
    if acts:
        assert begun.read_text() == "1\n", "the pods are killed before the reaper begins"


def test_no_kill_file_is_no_error(tmp_path: Path) -> None:
    """Where the agent ends the pods."""
    begun = tmp_path / "begun"
    line = ["/bin/sh", "-c", SCRIPT, "watcher", "", "touch", str(begun)]
    done = subprocess.run(line, input=b"begin\n", check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert wait_for(lambda: begun.exists() or None, 10)
