"""`serve`: this node's pods and revocations as pages for a browser on this machine. Read-only.

It listens on loopback only, and answers only what is addressed to it by a loopback name: a page from elsewhere that
has its own name resolve to 127.0.0.1 gets nothing. Any user of this machine can read it while it runs.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote

import click

from executor.cli.executors.client import Client
from executor.cli.executors.look import Executor, State, obituary
from executor.cli.exits import Unreachable
from executor.cli.page import collect
from executor.cli.page.node import node
from executor.cli.page.revocation import report
from executor.cli.page.style import POLICY
from executor.cli.pods import rates
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import ExecutorError, Failure, NotFound, reason
from executor.log import timestamp

_HOST: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
_FIRST_S: Final = 0.2


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8480, show_default=True, help="0 takes any free one.")
@json_option
@pass_session
def command(session: Session, port: int, *, as_json: bool) -> None:
    """Show this node's pods and revocations to a browser on this machine, until interrupted.

    From elsewhere: ssh -L 8480:127.0.0.1:8480 NODE.
    """
    session.look()  # an error now is better than one on every page
    try:
        server = _Server(session, port)
    except OSError as error:
        raise Failure(
            f"cannot listen: {reason(error)}", subject=f"port {port}", hint="choose another --port"
        ) from error
    url = f"http://127.0.0.1:{server.server_port}/"
    with server, contextlib.suppress(KeyboardInterrupt):
        output.json_line({"url": url}) if as_json else output.line(url)
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, session: Session, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.session = session
        self._lock = threading.Lock()
        self._before: rates.Look = {}

    def usage(self) -> dict[str, Any]:
        """Since the last page, or a moment for the first."""
        with self._lock:
            if not self._before:
                self._before = rates.look(self.session)
                time.sleep(_FIRST_S)
            now = rates.look(self.session)
            usage = rates.usage(now, self._before)
            self._before = now
        return usage


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "mesos-pod-executor"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        try:
            self._send(HTTPStatus.OK, self._page())
        except NotFound as error:
            self._send(HTTPStatus.NOT_FOUND, f"{error}\n", "text/plain")
        except (ExecutorError, click.ClickException) as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n", "text/plain")

    do_HEAD = do_GET  # noqa: N815 the library's names

    def _page(self) -> str:
        if not _HOST.fullmatch(self.headers.get("host", "")):
            raise NotFound("this is for 127.0.0.1 only", subject="host")
        path, session, host = self.path.partition("?")[0], self.server.session, socket.gethostname()
        if path == "/":
            found = session.look()
            answering = [each.client for each in found if each.state is State.ANSWERS]
            return node(host, timestamp(), _executors(answering), self.server.usage(), problems(found))
        if match := re.fullmatch("/revocations/([^/]+)", path):
            facts = collect.revocation(session, unquote(match[1]))
            return report(facts["receipt"], facts["events"], host)
        raise NotFound("there is no such page", subject=path)

    def _send(self, status: HTTPStatus, text: str, kind: str = "text/html") -> None:
        data = text.encode()
        self.send_response(status)
        headers = {
            "content-type": f"{kind}; charset=utf-8",
            "content-length": str(len(data)),
            "content-security-policy": POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: requests are no events of this program."""


def problems(found: Sequence[Executor]) -> list[str]:
    """Of the executors that hang or died, in words."""
    hung = [f"{each.error}" for each in found if each.error is not None]
    return hung + [obituary(each) for each in found if each.state is State.DEAD]


def _executors(clients: Sequence[Client]) -> list[dict[str, Any]]:
    found = []
    for client in clients:
        with contextlib.suppress(Unreachable):  # it ended just now
            found.append(collect.executor(client))
    return found
