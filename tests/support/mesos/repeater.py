"""A way to the agent on which what the agent sends to its executor comes twice: `with Repeater(endpoint, b"LAUNCH")`.

Only chunks of the event stream that hold the pattern are repeated; Mesos sends each event in one chunk.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from types import TracebackType
from typing import Self


class Repeater:
    """`endpoint` is its own; `repeated` counts."""

    def __init__(self, agent: str, pattern: bytes) -> None:
        self.repeated = 0
        self._agent, self._pattern = agent, pattern
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "{}:{}".format(*self._listener.getsockname())
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        host, _, port = self._agent.rpartition(":")
        with contextlib.suppress(OSError):
            while True:
                executor, _ = self._listener.accept()
                agent = socket.create_connection((host, int(port)))
                self._sockets += [executor, agent]
                for work in (self._calls, self._answers):
                    threading.Thread(target=work, args=(executor, agent), daemon=True).start()

    def _calls(self, executor: socket.socket, agent: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := executor.recv(65536):
                agent.sendall(data)
            agent.shutdown(socket.SHUT_WR)

    def _answers(self, executor: socket.socket, agent: socket.socket) -> None:
        with contextlib.suppress(OSError), agent.makefile("rb") as answers:
            while line := answers.readline():
                executor.sendall(line)
                if line.lower().startswith(b"transfer-encoding: chunked"):
                    self._stream(executor, answers)
            executor.shutdown(socket.SHUT_WR)

    def _stream(self, executor: socket.socket, answers: io.BufferedReader) -> None:
        while (line := answers.readline()) != b"\r\n":  # the other headers
            executor.sendall(line)
        executor.sendall(line)
        while size := answers.readline():
            chunk = size + answers.read(int(size, 16) + 2)
            again = self._pattern in chunk
            self.repeated += again
            executor.sendall(chunk * (1 + again))
