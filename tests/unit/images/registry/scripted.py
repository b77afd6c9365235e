"""A registry that answers what a test wants, over HTTP on loopback; every request is kept."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(frozen=True)
class Reply:
    """`write`: sends the body itself, or the whole answer where `status` is 0."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    write: Callable[[BaseHTTPRequestHandler], None] | None = None


class Scripted:
    """`address`: 127.0.0.2 is another host than 127.0.0.1. `tls`: a directory with tls.crt and tls.key."""

    def __init__(
        self, answer: Callable[[Asked], Reply], *, address: str = "127.0.0.1", tls: Path | None = None
    ) -> None:
        self.answer = answer
        self.seen: list[Asked] = []
        self._server = ThreadingHTTPServer((address, 0), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"{address}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(peer: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            _serve(self, peer)

        def do_GET(self) -> None:
            _serve(self, peer)

        def do_POST(self) -> None:
            _serve(self, peer)

    return Handler


def _serve(to: BaseHTTPRequestHandler, peer: Scripted) -> None:
    asked = Asked(to.command, to.path, {name.lower(): ", ".join(to.headers.get_all(name, [])) for name in to.headers})
    peer.seen.append(asked)
    reply = peer.answer(asked)
    if reply.status:
        to.send_response(reply.status)
        for name, text in reply.headers.items():
            to.send_header(name, text)
        if reply.write is None:
            to.send_header("content-length", str(len(reply.body)))
        to.end_headers()
    if reply.write is not None:
        reply.write(to)
    elif to.command != "HEAD":
        to.wfile.write(reply.body)
