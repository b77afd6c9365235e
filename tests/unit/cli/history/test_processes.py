"""Processes as `why` shows them where a kill is stuck: read from the real kernel."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from executor.cli.history import processes


def test_a_process_and_its_mount(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as sleeper:
        while (found := processes.of([sleeper.pid, 2**22 + 1])[0]).state != "S":
            time.sleep(0.01)
        sleeper.kill()
    assert (found.pid, found.command, found.state) == (sleeper.pid, "sleep 60", "S")
    point, kind = found.mount.rsplit(" ", 1)
    assert str(tmp_path).startswith(point) and kind.startswith("(")


def test_a_name_with_brackets_and_no_command_line(tmp_path: Path) -> None:
    directory = tmp_path / "7"
    directory.mkdir()
    (directory / "stat").write_text("7 (a) D (b) D 1 2 3")
    (directory / "cmdline").write_bytes(b"")
    (directory / "wchan").write_text("nfs_wait")
    (found,) = processes.of([7], tmp_path)
    assert (found.command, found.state, found.wchan, found.mount) == ("[a) D (b]", "D", "nfs_wait", "")


def test_one_that_has_ended_is_left_out() -> None:
    assert processes.of([]) == [] and processes.of([os.getpid()])[0].state == "R"


@pytest.mark.parametrize(
    ("state", "wchan", "mount", "words"),
    [
        ("D", "request_wait_answer", "/data (fuse.sshfs)", "Make this storage answer: /data (fuse.sshfs). It holds"),
        ("D", "blk_execute_rq", "/ (ext4)", "process 7 (cat x) and 1 more in blk_execute_rq: storage, a driver"),
        ("R", "", "/ (ext4)", "Wait: process 7 (cat x) and 1 more is in state R"),
    ],
)
def test_what_to_do_about_them(state: str, wchan: str, mount: str, words: str) -> None:
    found = processes.Process(7, "cat x", state, wchan, mount)
    assert words in processes.advice([found, found])
    assert processes.advice([]) == ""
