"""A front before a registry: the faults of networks and of other registries, on plain HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.support.registry import PASSWORD, USER, Registry, basic


@dataclass
class Fault:
    """What happens to the next `times` requests whose path has `path` in it."""

    path: str
    times: int = 1
    status: int = 0
    """Instead of the registry's answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Instead of the registry's; its headers stay, but for the length."""
    cut_after: int | None = None
    """The connection ends after so many bytes of the body."""
    pause_s: float = 0.0
    """Before each KiB of the body."""
    wait_s: float = 0.0
    """Before the answer."""
    ignores_range: bool = False


class Front:
    """HTTP on a loopback port, before a registry without TLS. `token`: demands a bearer token, which it gives to USER.

    `seen`: method, path and the Range header of every request.
    """

    def __init__(self, registry: Registry, *, token: bool = False) -> None:
        self.registry = registry
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str, str]] = []
        self.tokens: set[str] = set()
        self.token = token
        self._server = _Server(self)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def layers(self) -> Iterator[str]:
        """The Range of each request for a blob."""
        return (asked for method, path, asked in self.seen if "/blobs/" in path and method == "GET")

    def fault(self, path: str) -> Fault:
        for fault in self.faults:
            if fault.times > 0 and fault.path in path:
                fault.times -= 1
                return fault
        return Fault("")

    def login(self, query: Mapping[str, Sequence[str]], authorization: str) -> tuple[int, bytes]:
        if authorization != basic(USER, PASSWORD) or not query.get("scope"):
            return 401, b"{}"
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        return 200, json.dumps({"token": token, "expires_in": 60}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, front: Front) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.front = front


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.server.front.seen.append((self.command, self.path, self.headers.get("range", "")))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            status, body = self.server.front.login(parse_qs(parts.query), self.headers.get("authorization", ""))
            return self._answer(status, {}, body)
        if (
            self.server.front.token
            and self.headers.get("authorization", "").removeprefix("Bearer ") not in self.server.front.tokens
        ):
            realm = f'Bearer realm="http://{self.server.front.host}/token",service="tests"'
            return self._answer(401, {"www-authenticate": realm}, b"{}")
        fault = self.server.front.fault(self.path)
        time.sleep(fault.wait_s)
        if fault.status:
            return self._answer(fault.status, fault.headers, fault.body or b"")
        return self._forward(fault)

    def _forward(self, fault: Fault) -> None:
        wanted = {name: value for name, value in self.headers.items() if name.lower() in ("accept", "range")}
        if fault.ignores_range:
            wanted = {name: value for name, value in wanted.items() if name.lower() != "range"}
        connection = self.server.front.registry.connect()
        connection.request(self.command, self.path, headers=wanted)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        dropped = ("content-length", "connection", "transfer-encoding", "date", "server")
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
        length = int(answer.headers.get("content-length", 0)) if self.command == "HEAD" else None
        data = body if fault.body is None else fault.body
        self._answer(answer.status, {**headers, **fault.headers}, data, fault, length)

    def _answer(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        fault: Fault | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "HEAD":
            return
        fault = fault or Fault("")
        with contextlib.suppress(OSError):
            self._write(body if fault.cut_after is None else body[: fault.cut_after], fault.pause_s)
        if fault.cut_after is not None:
            self._cut()

    def _write(self, body: bytes, pause_s: float) -> None:
        step = 1024 if pause_s else max(1, len(body))
        for at in range(0, len(body), step):
            time.sleep(pause_s)
            self.wfile.write(body[at : at + step])
            self.wfile.flush()

    def _cut(self) -> None:
        """As a router does that forgets a connection: what was sent arrives, then a reset."""
        self.close_connection = True
        time.sleep(0.1)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
