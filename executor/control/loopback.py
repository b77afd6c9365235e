"""HTTP on a TCP port of 127.0.0.1, for browsers and scrapers of this machine. Reading only.

Every user of this machine can connect, and so can a page of another site that a browser here shows, if its name
resolves to 127.0.0.1 (DNS rebinding). So a request is answered only if it is addressed to a loopback name. A client is
bounded as on the control socket: the number of connections, the size of a request, the time for each request and each
answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from executor.control.http import Connection, Limits, Request, Response, failure
from executor.control.socket import Peer

ADDRESS: Final = "127.0.0.1"
_HOST: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)

Answer = Callable[[Request], Awaitable[Response]]
"""Never raises: errors are Responses."""


@asynccontextmanager
async def serving(port: int, answer: Answer, limits: Limits) -> AsyncIterator[int]:
    """Answer GET and HEAD on `port` while the block runs; 0 takes any free one. The port that it is. Raises OSError."""
    connections = _Connections(answer, limits)
    server = await asyncio.start_server(connections.connected, ADDRESS, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        connections.close()


class _Connections:
    def __init__(self, answer: Answer, limits: Limits) -> None:
        self._answer, self._limits = answer, limits
        self._open: dict[asyncio.Task[None], Connection] = {}
        """The oldest one first."""

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One more client. Where there are too many, the oldest one that waits makes room, or else the oldest one: so
        none can hold all connections.
        """
        if len(self._open) >= self._limits.connections:
            waiting = (task for task, each in self._open.items() if each.is_waiting)
            self._drop(next(waiting, next(iter(self._open))))
        connection = Connection(reader, writer, Peer(pid=0, uid=-1), self._limits)
        task = asyncio.ensure_future(connection.run(self._judged))
        self._open[task] = connection
        task.add_done_callback(lambda ended: self._open.pop(ended, None))

    def close(self) -> None:
        """Cut every client off."""
        for task in list(self._open):
            self._drop(task)

    def _drop(self, task: asyncio.Task[None]) -> None:
        """A task that has not begun yet does not end its connection itself."""
        task.cancel()
        self._open.pop(task).abort()

    async def _judged(self, request: Request) -> Response:
        if not _HOST.fullmatch(request.host):
            return failure(403, "this port is for 127.0.0.1 only", subject="host", hint="use 127.0.0.1 or localhost")
        if request.method not in ("GET", "HEAD"):
            return failure(405, f"{request.method} is not for this port", subject=request.path, hint="use GET")
        return await self._answer(request)
