"""Ctrl-C in commands that go on: at any moment it ends them with exit code 130, and prints no more than the end of the
line that the terminal's ^C began.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.cli.exits import Exit
from tests.support.control_node import Node, container, pod
from tests.support.rig import wait_for

AFTER_S = (0.0, 0.03, 0.06, 0.1, 0.2, 0.4)
"""While modules are imported, and after; which is when differs from machine to machine."""
ENDED = (Exit.INTERRUPTED, -signal.SIGINT)
"""A shell has 130 for both."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "run")
    yield node
    node.close()


@pytest.fixture
def line(node: Node, tmp_path: Path) -> list[str]:
    """A node with a pod whose container writes into a log."""
    log = tmp_path / "stdout"
    log.write_text("one\n")
    shown = pod("pod-1", "web", containers=[container("main", log={"stdout": str(log), "stderr": ""})])
    node.executor("aaa", shown).journal.append({"code": "pod.running", "time": "2024-01-01T00:00:00.000Z"})
    (tmp_path / "config.toml").write_text(
        f'[node]\nstate_dir = "{tmp_path}"\nrun_dir = "{node.run_dir}"\n'
        '[lending]\nowners = ["spark"]\nmasters = ["127.0.0.1:1"]\nagent = "127.0.0.1:1"\n'
    )
    return [sys.executable, "-m", "executor", "--config", str(tmp_path / "config.toml"), "--run-dir", str(node.run_dir)]


def started(line: list[str], *command: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*line, *command], stdout=pipe, stderr=pipe, text=True)


def catches(process: subprocess.Popen[str]) -> bool:
    """Whether it has a handler of SIGINT (proc_pid_status(5))."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(row.split()[1] for row in status.splitlines() if row.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)


HELD = "import runpy; input(); runpy.run_module('executor', run_name='__main__', alter_sys=True)"
"""As `python -m executor`, but Python itself, which has a handler that prints a traceback, waits for a line first."""


def begun(line: list[str], *command: str) -> subprocess.Popen[str]:
    """The program, from the moment when Ctrl-C is its own matter."""
    python, _, _, *options = line
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [python, "-c", HELD, *options, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdin is not None
    assert wait_for(lambda: catches(process) or None, 20, 0.001)
    process.stdin.write("\n")
    process.stdin.flush()
    assert wait_for(lambda: not catches(process) or has_printed(process) or None, 20, 0.001)
    return process


def has_printed(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0)[0])


def test_at_any_moment_nothing_is_said(line: list[str]) -> None:
    """Any moment of this program: Python itself, which starts it, has a handler that prints a traceback."""
    running: list[tuple[float, subprocess.Popen[str]]] = []
    for after_s in AFTER_S:
        process = begun(line, "ps", "-w")
        running.append((after_s, process))
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
    for after_s, process in running:
        _, err = process.communicate(timeout=30)
        assert (process.returncode in ENDED, err.strip()) == (True, ""), (after_s, process.returncode)


FOLLOWED = {
    "logs": (("logs", "web", "-f"), "one"),
    "events": (("events", "-f", "--json"), "pod.running"),
    "ps": (("ps", "-w"), "default/web"),
    "serve": (("serve", "--port", "0"), "http://"),
    "lend": (("lend", "--json"), "lending.json"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_follows_ends_with_130(line: list[str], name: str) -> None:
    command, first = FOLLOWED[name]
    with started(line, *command) as process:
        assert process.stdout is not None
        while first not in (read := process.stdout.readline()):
            assert read, f"it has ended: {process.stderr and process.stderr.read()}"
        if name == "lend":  # it goes on in order, so its handler must be there
            assert process.stderr is not None
            while "lending.started" not in process.stderr.readline():
                pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in err and (name == "lend" or err == "\n")


def test_a_lender_that_is_stopped_in_order_has_done_its_work(line: list[str]) -> None:
    with started(line, "lend") as process:
        assert process.stderr is not None
        while "lending.started" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == Exit.OK


@contextlib.contextmanager
def on_terminal(line: list[str], *command: str) -> Iterator[tuple[int, int, int]]:
    """The end of a terminal that a person has, that of the command, and the command's process, which leads there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (14, 100))
    child = os.fork()
    if child == 0:
        os.login_tty(theirs)
        os.execve(line[0], [*line, *command], {**os.environ, "TERM": "xterm"})
    try:
        yield ours, theirs, child
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("name", ["ps", "logs"])
def test_ctrl_c_on_a_terminal_leaves_it_as_it_was(line: list[str], name: str) -> None:
    command, first = FOLLOWED[name]
    with on_terminal(line, *command) as (ours, theirs, child):
        before, seen = termios.tcgetattr(theirs), b""
        while first.encode() not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, b"\x03")
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == Exit.INTERRUPTED
        assert termios.tcgetattr(theirs) == before
    assert b"Traceback" not in seen
