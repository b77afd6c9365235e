"""What a terminal gets from the commands."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from executor.cli.exits import Exit
from executor.cli.main import main
from tests.support.control_node import Node

LIMIT_S = 60


def on_terminal(node: Node, columns: int, *arguments: str, **environ: str) -> str:
    """All that a terminal of this width gets from a command, which runs in this process."""
    ours, theirs = pty.openpty()
    found = list[str]()
    reader = threading.Thread(target=lambda: found.append(_read(ours)))  # a terminal holds back who writes too much
    reader.start()
    with (
        open(theirs, "w") as terminal,  # noqa: PTH123 it is a descriptor
        contextlib.redirect_stdout(terminal),
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in _environment(columns, environ).items():
            patch.setenv(name, value)
        code = main(_line(node, arguments))
    reader.join()
    os.close(ours)
    assert code == Exit.OK
    return found[0]


def followed_on_terminal(
    node: Node, columns: int, *arguments: str, until: Callable[[str], bool], **environ: str
) -> str:
    """The same of a command that goes on, in a process of its own: it gets SIGINT when `until` is true for what the
    terminal has so far, or after LIMIT_S seconds.
    """
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "executor", *_line(node, arguments)]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | _environment(columns, environ)) as process:
        os.close(theirs)
        limit = threading.Timer(LIMIT_S, process.send_signal, [signal.SIGINT])
        limit.start()

        def look(shown: str) -> None:
            if limit.is_alive() and until(shown):
                limit.cancel()
                limit.join()
                process.send_signal(signal.SIGINT)

        shown = _read(ours, look)
        limit.cancel()
    os.close(ours)
    assert process.returncode == Exit.INTERRUPTED
    return shown


def _line(node: Node, arguments: tuple[str, ...]) -> list[str]:
    return ["--run-dir", str(node.run_dir), *arguments]


def _environment(columns: int, more: dict[str, str]) -> dict[str, str]:
    return {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "12", **more}


def _read(terminal: int, look: Callable[[str], object] = lambda _: None) -> str:
    """Until the other end is closed; `look` is called with all that was read so far."""
    found = b""
    with contextlib.suppress(OSError):  # EIO
        while block := os.read(terminal, 4096):
            found += block
            look(found.decode(errors="replace"))
    return found.decode()
