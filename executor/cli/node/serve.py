"""`serve`: this node's pods and revocations as pages for a browser on this machine. Read-only.

It listens on loopback only (executor/control/loopback.py). Any user of this machine can read it while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

import click

from executor.cli.executors.client import Client
from executor.cli.executors.look import Executor, State, about_dead
from executor.cli.exits import Forbidden, Unreachable, Unreadable
from executor.cli.history import former, processes
from executor.cli.history.verdict import verdict
from executor.cli.lending import shown
from executor.cli.page import collect
from executor.cli.page.lending import lending
from executor.cli.page.markup import Markup
from executor.cli.page.node import node
from executor.cli.page.past import SAMPLE_S, Past
from executor.cli.page.pod import Evidence
from executor.cli.page.pod import pod as pod_page
from executor.cli.page.revocation import report
from executor.cli.page.style import POLICY
from executor.cli.pods import rates
from executor.cli.pods.tail import tail
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.control import loopback
from executor.control.http import Limits, Request, Response
from executor.errors import ExecutorError, Failure, NotFound, reason
from executor.lending import ledger
from executor.log import timestamp

_FIRST_S: Final = 0.2
_FORMER_S: Final = 30.0
_LIMITS: Final = Limits(connections=16, header_bytes=16 << 10, body_bytes=0, receive_s=15.0)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8480, show_default=True, help="0 takes any free one.")
@json_option
@pass_session
def command(session: Session, port: int, *, as_json: bool) -> None:
    """Show this node's pods and revocations to a browser on this machine, until interrupted.

    From elsewhere: ssh -L 8480:127.0.0.1:8480 NODE.
    """
    for each in session.look():  # an error now is better than one on every page
        if isinstance(each.error, Forbidden):
            raise each.error
    asyncio.run(_serve(session, port, as_json=as_json))


async def _serve(session: Session, port: int, *, as_json: bool) -> None:
    """Until it is cancelled. Raises Failure where the port cannot be opened."""
    pages = _Pages(session)
    async with contextlib.AsyncExitStack() as stack:
        try:
            taken = await stack.enter_async_context(loopback.serving(port, pages.answer, _LIMITS))
        except OSError as error:
            hint = "choose another --port"
            raise Failure(f"cannot listen: {reason(error)}", subject=f"port {port}", hint=hint) from error
        url = f"http://{loopback.ADDRESS}:{taken}/"
        output.json_line({"url": url}) if as_json else output.line(url)
        await pages.sample()


class _Pages:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._before: rates.Look = {}
        self._past = Past()
        self._gone: Sequence[dict[str, Any]] = ()
        self._former_until_s = 0.0

    async def sample(self) -> None:
        """For the charts, until cancelled. A look that fails leaves a gap."""
        before: rates.Look = {}
        while True:
            with contextlib.suppress(ExecutorError, click.ClickException):
                now = await asyncio.to_thread(rates.look, self._session)
                if before:
                    self._past.add(time.monotonic(), rates.usage(now, before), _lender(self._session))
                before = now
            await asyncio.sleep(SAMPLE_S)

    async def answer(self, request: Request) -> Response:
        """A page, or the text of what went wrong."""
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: Request) -> Response:
        try:
            return _response(200, self._page(request.path), "text/html")
        except NotFound as error:
            return _response(404, f"{error}\n", "text/plain")
        except (ExecutorError, click.ClickException) as error:
            return _response(503, f"{error}\n", "text/plain")

    def _page(self, path: str) -> str:
        session, host = self._session, socket.gethostname()
        if path == "/":
            found = session.look()
            answering = [each.client for each in found if each.state is State.ANSWERS]
            boxes = [self._past.charts(time.monotonic()), *_lending(session)]
            executors, odd = _executors(answering)
            wrong = [*problems(found), *odd]
            return node(host, timestamp(), executors, self._usage(), wrong, boxes, self._former())
        if match := re.fullmatch("/pods/([^/]+)", path):
            return _pod_page(collect.pod(session, unquote(match[1])), host)
        if match := re.fullmatch("/revocations/([^/]+)", path):
            facts = collect.revocation(session, unquote(match[1]))
            return report(facts["receipt"], facts["events"], host)
        raise NotFound("there is no such page", subject=path)

    def _former(self) -> Sequence[dict[str, Any]]:
        """Pods of executors that are gone; their journals are read once in _FORMER_S."""
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._former_until_s:
                self._gone, self._former_until_s = former.pods(self._session), now_s + _FORMER_S
            return self._gone

    def _usage(self) -> dict[str, Any]:
        """Since the last page, or a moment for the first."""
        with self._lock:
            if not self._before:
                self._before = rates.look(self._session)
                time.sleep(_FIRST_S)
            now = rates.look(self._session)
            usage = rates.usage(now, self._before)
            self._before = now
        return usage


def _pod_page(facts: dict[str, Any], host: str) -> str:
    document, events = facts["pod"], facts["events"]
    tails = [found for each in document["containers"] if (found := tail(each)) is not None]
    stuck = processes.of(document.get("stuck_pids", ())) if document["state"] != "ended" else []
    why = verdict(events, executor_died=document["state"] == "lost") if events else None
    return pod_page(document, why, Evidence(tails, stuck), events, host)


def _response(status: int, text: str, kind: str) -> Response:
    return Response(text, status, f"{kind}; charset=utf-8", _HEADERS)


def _lending(session: Session) -> list[Markup]:
    """Nothing where no lender runs."""
    now = _lender(session)
    with contextlib.suppress(ExecutorError):
        return [] if now is None else [lending(now, ledger.history(shown.directory(session)).closed, time.time())]
    return []


def _lender(session: Session) -> dict[str, Any] | None:
    try:
        return shown.now(session)
    except ExecutorError:
        return None


def problems(found: Sequence[Executor]) -> list[str]:
    """The state of the executors that hang or died, in words."""
    hung = [f"{each.error}" for each in found if each.error is not None]
    return hung + [about_dead(each) for each in found if each.state is State.DEAD]


def _executors(clients: Sequence[Client]) -> tuple[list[dict[str, Any]], list[str]]:
    """What each one is and has, and in words which of them answer what a page cannot be made of."""
    found, odd = [], []
    for client in clients:
        try:
            found.append(collect.executor(client))
        except Unreadable as error:
            odd.append(str(error))
        except Unreachable:  # it ended just now
            continue
    return found, odd
