"""A way to the agent on which an event for its executor comes twice, or late: `with Proxy(endpoint, b"LAUNCH")`.

Only chunks of the event stream that hold the pattern are meant; Mesos sends each event in one chunk.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from types import TracebackType
from typing import Self

from tests.support.mesos.http import Message


class Proxy:
    """Such an event is passed on `copies` times, but not before the executor has sent `after`; then all the others that
    came after it. `endpoint` is the proxy's own; `passed` counts those events.
    """

    def __init__(self, agent: str, pattern: bytes, *, copies: int = 1, after: bytes = b"") -> None:
        self.passed = 0
        self._agent, self._pattern = agent, pattern
        self._copies, self._after = copies, after
        self._may_pass = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "{}:{}".format(*self._listener.getsockname())
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._may_pass.set()
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def between(self, executor: Message) -> Message:
        """The ExecutorInfo, with this in the place of the agent."""
        command = executor["command"]
        line = f"export MESOS_AGENT_ENDPOINT={self.endpoint}; {command['value']}"
        return executor | {"command": command | {"value": line}}

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
                if self._after in data:
                    self._may_pass.set()
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
            if self._pattern in chunk:
                self._may_pass.wait()
                self.passed += 1
                chunk *= self._copies
            executor.sendall(chunk)
