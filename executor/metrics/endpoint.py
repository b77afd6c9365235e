"""GET /metrics: a route of the control socket, and the same on a loopback TCP port where the configuration names one.

The port answers this one path, to every user of this machine; nothing can be changed through it. Where it
is taken (two executors on a node cannot share it) the executor goes on without: a node's executors are better read
from the textfile that `mesos-pod-executor metrics` writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Final

from executor import exhausted
from executor.control import documents as views
from executor.control import loopback
from executor.control.http import Limits, Request, Response, Stream, failure
from executor.log import get_logger
from executor.metrics import catalog

if TYPE_CHECKING:
    from executor.control.server import Handler
    from executor.dispatch.dispatcher import Dispatcher
    from executor.metrics.counters import Counters
    from executor.metrics.loop_lag import LoopLag

log = get_logger(__name__)

_LIMITS: Final = Limits(connections=8, header_bytes=8 << 10, body_bytes=0, receive_s=10.0)

SHARED_S: Final = 0.5
"""How long the requests to the port share one answer: every user of the machine may ask without a limit, and an
answer about many pods takes the event loop some milliseconds.
"""


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
    async with AsyncExitStack() as stack:
        if number:
            try:
                await stack.enter_async_context(loopback.serving(number, partial(_scrape, _Shared(answer)), _LIMITS))
            except OSError as error:
                address = f"{loopback.ADDRESS}:{number}"
                log.warning("the metrics port cannot be used", code="metrics.port_failed", address=address, error=error)
        yield


class _Shared:
    """Makes one answer at a time, and keeps it for SHARED_S."""

    def __init__(self, answer: Handler) -> None:
        self._answer = answer
        self._making = asyncio.Lock()
        self._made: dict[bool, tuple[float, Response | Stream]] = {}

    async def __call__(self, request: Request) -> Response | Stream:
        identity, clock = request.query.get("identity") == "1", asyncio.get_running_loop().time
        async with self._making:
            if identity not in self._made or clock() - self._made[identity][0] > SHARED_S:
                found = await self._answer(request)
                self._made[identity] = clock(), found
            return self._made[identity][1]


async def _scrape(answer: Handler, request: Request) -> Response:
    if request.path != "/metrics":
        return failure(404, "there is nothing but GET /metrics", subject=request.path)
    try:
        found = await answer(request)
    except Exception as error:
        if (known := exhausted.tell(log, error)) is not None:
            return failure(503, known.message, hint=known.hint)
        log.exception("a scrape failed", code="control.bug", error=error)
        return failure(500, "a defect; see the executor's log")
    return found if isinstance(found, Response) else failure(500, "no document")
