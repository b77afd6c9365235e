"""Where a job's tasks report and are held in the middle of their work, and where its driver leaves the result.

with Gate() as gate:
    gate.wait_arrived(4)      # four tasks have come to `POST /arrive/NAME` and get no answer yet
    gate.open()               # now they and all later ones do
    gate.result()             # what the driver has sent to `POST /result`
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")
HELD_S = 120.0


class Gate:
    def __init__(self, address: str) -> None:
        self._changed = threading.Condition()
        self._opened = threading.Event()
        self._arrived: list[dict[str, Any]] = []
        self._result: Any = None
        self._server = ThreadingHTTPServer((address, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, name="gate", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def open(self) -> None:
        self._opened.set()

    @property
    def arrived(self) -> list[dict[str, Any]]:
        """What each task has reported, in the order of their arrival."""
        with self._changed:
            return list(self._arrived)

    def wait_arrived(self, count: int, timeout_s: float, alive: Callable[[], None] = lambda: None) -> None:
        self._wait(lambda: len(self._arrived) >= count or None, timeout_s, f"{count} tasks at the gate", alive)

    def result(self, timeout_s: float, alive: Callable[[], None] = lambda: None) -> Any:
        """`alive` is called again and again meanwhile; it raises if no result can come any more."""
        return self._wait(lambda: self._result, timeout_s, "a result", alive)

    def _wait(self, condition: Callable[[], T | None], timeout_s: float, what: str, alive: Callable[[], None]) -> T:
        for _ in range(round(timeout_s / 0.2)):
            with self._changed:
                if (value := condition()) is not None:
                    return value
                self._changed.wait(0.2)
            alive()
        raise AssertionError(f"waited {timeout_s} s for {what}; there are {self._arrived}")

    def _receive(self, path: str, body: Any) -> None:
        with self._changed:
            if path == "/result":
                self._result = body
            else:
                self._arrived.append(body)
            self._changed.notify_all()
        if path != "/result":
            self._opened.wait(HELD_S)


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            gate._receive(self.path, {**body, "seen_from": self.client_address[0]})
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: a test's output is for its failures."""

    return Handler
