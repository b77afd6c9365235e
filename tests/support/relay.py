"""A way to a TCP server that a test can cut: `with Relay("127.0.0.1:5050") as relay`, and `relay.cut()`.

tests/support/mesos/proxy.py changes what an agent sends, tests/support/faults_agent.py breaks connections by a seed:
each has a kind of Link of its own.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without a time: close sends RST."""
PIECE_BYTES = 1 << 16


class Link:
    """One connection through a relay, with a thread each way. Where one way breaks, both ends get a reset."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.is_over = False

    def start(self) -> None:
        threading.Thread(target=self._pass_on, daemon=True).start()

    def calls(self) -> None:
        """What the client sends, to its end. Raises OSError."""
        while data := self.client.recv(PIECE_BYTES):
            self.server.sendall(data)
        self.end(self.server)

    def answers(self) -> None:
        """What the server sends, to its end. Raises OSError."""
        while data := self.server.recv(PIECE_BYTES):
            self.client.sendall(data)
        self.end(self.client)

    def end(self, sock: socket.socket) -> None:
        """Nothing more is sent there."""
        if not self.is_over:
            sock.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        self.is_over = True
        for each in (self.client, self.server):
            reset(each)

    def _pass_on(self) -> None:
        calls = threading.Thread(target=self._guarded, args=(self.calls,), daemon=True)
        calls.start()
        self._guarded(self.answers)
        calls.join()
        self.is_over = True
        self.client.close()
        self.server.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError:
            self.cut()


class Relay:
    """`endpoint` is where it listens. After a cut it takes new connections. `link` makes a Link of the sockets to a
    client and to the server. A client gets a reset where the server cannot be reached.
    """

    def __init__(self, server: str, link: Callable[[socket.socket, socket.socket], Link] = Link) -> None:
        host, _, port = server.rpartition(":")
        self._server, self._link = (host, int(port)), link
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "{}:{}".format(*self._listener.getsockname())
        self._links: list[Link] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def between(self, executor: dict[str, Any]) -> dict[str, Any]:
        """The ExecutorInfo, with this in the place of the agent."""
        command = executor["command"]
        line = f"export MESOS_AGENT_ENDPOINT={self.endpoint}; {command['value']}"
        return executor | {"command": command | {"value": line}}

    def cut(self) -> None:
        """End every connection that is open."""
        links, self._links = self._links, []
        for link in links:
            link.cut()

    def close(self) -> None:
        """End every connection, and take no more of them."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server, 2)
                except OSError:
                    reset(client)
                    continue
                server.settimeout(None)
                link = self._link(client, server)
                self._links = [*(each for each in self._links if not each.is_over), link]
                link.start()


def reset(sock: socket.socket) -> None:
    """Close it so that its peer gets a reset. A thread that waits for what the peer sends is woken."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.shutdown(socket.SHUT_RD)
    sock.close()
