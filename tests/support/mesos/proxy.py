"""A way to the agent on which an event for its executor comes twice, or late: `with Proxy(endpoint, b"LAUNCH")`.

Only chunks of the event stream that hold the pattern are meant; Mesos sends each event in one chunk.
"""

from __future__ import annotations

import io
import socket
import threading

from tests.support.relay import PIECE_BYTES, Link, Relay


class Proxy(Relay):
    """Such an event is passed on `copies` times, but not before the executor has sent `after`; then all the others that
    came after it. `passed` counts those events.
    """

    def __init__(self, agent: str, pattern: bytes, *, copies: int = 1, after: bytes = b"") -> None:
        super().__init__(agent, lambda executor, server: _Link(executor, server, self))
        self.pattern, self.copies, self.after = pattern, copies, after
        self.passed = 0
        self.may_pass = threading.Event()

    def close(self) -> None:
        self.may_pass.set()
        super().close()


class _Link(Link):
    def __init__(self, executor: socket.socket, agent: socket.socket, proxy: Proxy) -> None:
        super().__init__(executor, agent)
        self._proxy = proxy

    def calls(self) -> None:
        while data := self.client.recv(PIECE_BYTES):
            if self._proxy.after in data:
                self._proxy.may_pass.set()
            self.server.sendall(data)
        self.end(self.server)

    def answers(self) -> None:
        with self.server.makefile("rb") as answers:
            while line := answers.readline():
                self.client.sendall(line)
                if line.lower().startswith(b"transfer-encoding: chunked"):
                    self._stream(answers)
        self.end(self.client)

    def _stream(self, answers: io.BufferedReader) -> None:
        while (line := answers.readline()) != b"\r\n":  # the other headers
            self.client.sendall(line)
        self.client.sendall(line)
        while size := answers.readline():
            chunk = size + answers.read(int(size, 16) + 2)
            if self._proxy.pattern in chunk:
                self._proxy.may_pass.wait()
                self._proxy.passed += 1
                chunk *= self._proxy.copies
            self.client.sendall(chunk)
