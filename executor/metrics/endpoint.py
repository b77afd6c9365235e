"""GET /metrics: a route of the control socket, and the same on a loopback TCP port where the configuration names one.

The port answers this one path, to every user of this machine; nothing can be changed through it. Where it
is taken (two executors on a node cannot share it) the executor goes on without: a node's executors are better read
from the textfile that `mesos-pod-executor metrics` writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Final

from executor import exhausted
from executor.control import documents as views
from executor.control.http import Connection, Limits, Request, Response, failure
from executor.control.socket import Peer
from executor.log import get_logger
from executor.metrics import catalog

if TYPE_CHECKING:
    from executor.control.server import Handler
    from executor.dispatch.dispatcher import Dispatcher
    from executor.metrics.counters import Counters
    from executor.metrics.loop_lag import LoopLag

log = get_logger(__name__)

LOOPBACK: Final = "127.0.0.1"
_LIMITS: Final = Limits(connections=8, header_bytes=8 << 10, body_bytes=0, receive_s=10.0)


class Metrics:
    def __init__(self, dispatcher: Dispatcher, counters: Counters, lag: LoopLag) -> None:
        self._dispatcher = dispatcher
        self._counters = counters
        self._lag = lag

    async def answer(self, request: Request) -> Response:
        """`?identity=1` puts framework and executor on every sample."""
        exposition = await asyncio.to_thread(_load)
        from executor.metrics import gauges

        wanted = request.query.get("identity") == "1"
        facts = views.executor(self._dispatcher)
        identity = {name: str(facts[name]) for name in catalog.IDENTITY} if wanted else {}
        traffic = await self._dispatcher.node.networks.traffic_by_class()
        families = [*self._counters.families(), *gauges.families(self._dispatcher, self._lag, traffic)]
        return Response(exposition.text(families, identity), content_type=exposition.CONTENT_TYPE)


def _load() -> ModuleType:
    from executor.metrics import exposition

    return exposition


@asynccontextmanager
async def port(number: int, answer: Handler) -> AsyncIterator[None]:
    """Serves `answer` on 127.0.0.1:`number` while the block runs; 0 serves nothing."""
    if number == 0:
        yield
        return
    serving = _Port(answer)
    try:
        server = await asyncio.start_server(serving.connected, LOOPBACK, number)
    except OSError as error:
        log.warning(
            "the metrics port cannot be used", code="metrics.port_failed", address=f"{LOOPBACK}:{number}", error=error
        )
        yield
        return
    try:
        yield
    finally:
        server.close()
        serving.close()


class _Port:
    def __init__(self, answer: Handler) -> None:
        self._answer = answer
        self._connections: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _LIMITS.connections:
            writer.transport.abort()
            return
        connection = Connection(reader, writer, Peer(pid=0, uid=-1), _LIMITS)
        task = asyncio.ensure_future(connection.run(self._handle))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    def close(self) -> None:
        for task in self._connections:
            task.cancel()

    async def _handle(self, request: Request) -> Response:
        if request.path != "/metrics" or request.method not in ("GET", "HEAD"):
            return failure(404, "there is nothing but GET /metrics", subject=request.path)
        try:
            answer = await self._answer(request)
        except Exception as error:
            if (found := exhausted.tell(log, error)) is not None:
                return failure(503, found.message, hint=found.hint)
            log.exception("a scrape failed", code="control.bug", error=error)
            return failure(500, "a defect; see the executor's log")
        return answer if isinstance(answer, Response) else failure(500, "no document")
