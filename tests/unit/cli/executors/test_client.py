"""The time limit of a request is for all of it, however small the pieces are in which its answer comes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from executor.cli.executors import client as clients
from executor.cli.executors.client import Client
from executor.cli.exits import Unreachable
from executor.control.server import socket_path
from tests.support.control_node import dripping_executor

LIMIT_S = 0.25
EVERY_S = 0.05
BODY = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"{}" + b" " * 200
HEADS = b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" * 20


ASK: dict[str, Callable[[Client], Any]] = {
    "get": lambda client: client.get("/x", timeout_s=LIMIT_S),
    "put": lambda client: client.put("/x", {}),
    "post": lambda client: client.post("/x", {}, timeout_s=LIMIT_S),
    "delete": lambda client: client.delete("/x"),
    "text": lambda client: client.text("/x"),
    "stream": lambda client: next(client.stream("/x")),
    "session": lambda client: next(client.session("/x", {})),
}


CASES = {**{name: (name, BODY) for name in ASK}, "heads": ("get", HEADS), "continued": ("get", CONTINUED)}


@pytest.mark.parametrize(("name", "answer"), CASES.values(), ids=CASES)
def test_an_answer_in_small_pieces_does_not_extend_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, answer: bytes
) -> None:
    monkeypatch.setattr(clients, "TIMEOUT_S", LIMIT_S)
    began_s = time.monotonic()
    with (
        dripping_executor(tmp_path, "c", answer, EVERY_S),
        pytest.raises(Unreachable, match="timed out"),
    ):
        ASK[name](Client(socket_path(tmp_path, "c")))
    assert time.monotonic() - began_s < len(answer) * EVERY_S / 4


def test_a_stream_that_has_begun_has_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "TIMEOUT_S", LIMIT_S)
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(tmp_path, "c")))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                for piece in (head, b'{"n": 1}\n', b'{"n": 2}\n'):
                    connection.sendall(piece)
                    time.sleep(1.5 * LIMIT_S)

        server = threading.Thread(target=serve)
        server.start()
        assert [each["n"] for each in Client(socket_path(tmp_path, "c")).stream("/x")] == [1, 2]
        server.join()
