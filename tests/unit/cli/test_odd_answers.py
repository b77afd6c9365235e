"""Odd answers of a control socket, and odd names on an odd terminal: each command says what there is, in words."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.cli.exits import Exit
from executor.cli.printing import jsonpath
from executor.errors import ExecutorError, InvalidInput
from executor.names import MesosContainerId
from executor.node.ended_executors import MesosNames, remember
from tests.unit.cli.conftest import Run, run

__all__ = ["run"]

ANSWERS = {
    "a list": (200, b"[]"),
    "null": (200, b"null"),
    "an object of nothing": (200, b"{}"),
    "deep": (200, b"[" * 200_000),
    "no JSON": (200, b"<html>"),
    "an error that is a list": (409, b"[1]"),
    "an error that is a text": (409, b'{"error": "x"}'),
    "an error of numbers": (404, b'{"error": {"message": 1, "hint": [], "subject": null}}'),
}


@pytest.fixture(params=ANSWERS)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    status, body = ANSWERS[request.param]
    answer = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "0c1de16a.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        stop = threading.Event()
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    try:
                        if connection.recv(65536):
                            connection.sendall(answer)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("line", [["ps"], ["metrics"], ["why", "t"], ["revoke", "--all"]], ids=lambda line: line[0])
def test_every_command_says_so(odd: Path, run: Run, line: list[str]) -> None:
    ran = run(*line)
    assert ran.code not in (Exit.OK, 1) or line == ["metrics"], ran
    assert "Traceback" not in ran.err
    assert ran.err.startswith("mesos-pod-executor: "), ran


def test_a_lender_can_tell_that_an_executor_refused(odd: Path) -> None:
    from executor.cli.executors.client import Client

    with pytest.raises(ExecutorError):
        Client(odd).post("/v1/revocations", {}, timeout_s=5.0)


def test_a_template_of_many_ranges_is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 100 times"):
        jsonpath.parse("{range .a}" * 3000 + "{end}" * 3000)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_the_letters_of_a_name(tmp_path: Path, encoding: str) -> None:
    """The name is a framework's choice."""
    run_dir, sandbox = tmp_path / "run", tmp_path / "sandbox"
    run_dir.mkdir()
    sandbox.mkdir()
    head = {"seq": 1, "time": "2026-01-01T00:00:00.000Z", "code": "pod.accepted", "message": ""}
    event = {**head, "pod": "pod-1", "task": "t", "name": "\u4e16-web"}
    (sandbox / "journal.jsonl").write_text(json.dumps(event) + "\n")
    remember(run_dir, MesosContainerId("c-1"), MesosNames("e", "f", str(sandbox)), died=False)
    line = [sys.executable, "-m", "executor", "--run-dir", str(run_dir), "ps", "-a"]
    ran = subprocess.run(line, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False)
    assert ran.returncode == Exit.OK, ran.stderr
    assert b"?-web" in ran.stdout
