"""The executor's end of the Mesos agent's API, for the event loop.

    async with Driver(environment) as driver:
        async for event in driver.events(): ...

pymesos' thread reads the event stream, one more sends; both hand over at `_hand_over` and nowhere else. Invariants: no
method blocks the loop; an update is kept until the agent acknowledges it, and resent after every loss of the agent; the
driver never ends the process: a Shutdown event says what has to end. Owns both threads, the outbox and the queue
of events.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import time
import uuid
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from executor.log import get_logger
from executor.mesos.environment import Environment
from executor.mesos.events import Disconnected, Event, Shutdown, Subscribed
from executor.mesos.outbox import MESSAGES_MAX, Outbox
from executor.mesos.sender import Sender
from executor.mesos.session import Session
from executor.mesos.status import stamped

if TYPE_CHECKING:
    from executor.mesos.pymesos_fixes import ExecutorDriver

log = get_logger(__name__)

CLOSE_TIMEOUT_S = 2.0
LOOK_S = 0.1
"""Nothing tells the loop that the agent has accepted a call."""


class Driver:
    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._outbox = Outbox()
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._settled = asyncio.Event()
        self._subscribed = self._abandoned = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._link: ExecutorDriver | None = None
        self._sender: Sender | None = None

    async def __aenter__(self) -> Self:
        """Starts to subscribe. Must run in the main thread, because importing pymesos must."""
        from executor.mesos.pymesos_fixes import ExecutorDriver

        self._loop = asyncio.get_running_loop()
        session = Session(self._environment, self._outbox, self._hand_over)
        self._link = ExecutorDriver(self._environment, session, self._outbox)
        self._sender = Sender(self._outbox, self._link.post, lambda: self._hand_over(None))
        self._link.start()
        self._sender.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends `events` and both threads, in about CLOSE_TIMEOUT_S at most; what is unsent is lost. May be repeated."""
        link, sender = self._link, self._sender
        self._outbox.close()
        if link is not None and sender is not None:
            self._link = self._sender = None
            link.stop()
            await asyncio.to_thread(_join, link, sender)
        self._queue.put_nowait(None)

    def events(self) -> AsyncIterator[Event]:
        """Every event in the order it came, until `close`. For one consumer."""
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event
            await asyncio.sleep(0)  # a queue that is not empty gives other tasks no turn

    def update(self, status: dict[str, Any]) -> None:
        """Sends a TaskStatus (see status.status), now or when the agent is back; never blocks.

        Adds uuid, timestamp, source and the ids of executor and agent, to a copy. Half a surrogate pair, of which the
        agent refuses the whole update, becomes a question mark. Raises TypeError if it is not JSON.
        """
        complete = {
            **stamped(status, uuid.uuid4().bytes, time.time()),
            "source": "SOURCE_EXECUTOR",
            "executor_id": {"value": self._environment.executor_id},
            "agent_id": {"value": self._environment.agent_id},
        }
        complete = json.loads(json.dumps(complete, ensure_ascii=False).encode(errors="replace"))
        if not self._outbox.put_update(complete):
            log.error(
                "an update follows its task's terminal one; it is not sent",
                code="mesos.update_after_end",
                task=status["task_id"]["value"],
                state=status["state"],
                update=complete["uuid"],
            )

    def message(self, data: bytes) -> None:
        """Sends a message to the framework when the agent takes it; Mesos itself may lose it. Never blocks."""
        if not self._outbox.put_message({"data": base64.b64encode(data).decode()}):
            log.warning(
                "too many messages wait for the agent; the oldest is dropped",
                code="mesos.message_dropped",
                count=MESSAGES_MAX,
            )

    @property
    def unacknowledged(self) -> int:
        """Updates that the agent has not acknowledged."""
        return len(self._outbox)

    async def drained(self, timeout_s: float) -> bool:
        """Waits until every update is acknowledged (or refused); False once the agent has had them all for `timeout_s`,
        or has been given up. Without a limit of its own while the agent is away or does not answer.

        A terminal update must be acknowledged before the executor exits, or it may be lost (MESOS-8537, MESOS-9847).
        An agent that tears a framework down accepts its updates and acknowledges none (src/slave/slave.cpp).
        """
        since_s: float | None = None
        while self.unacknowledged and (self._subscribed or not self._abandoned):
            now_s = time.monotonic()
            has_all = self._subscribed and not self._outbox.unsent
            since_s = (now_s if since_s is None else since_s) if has_all else None
            left_s = math.inf if since_s is None else since_s + timeout_s - now_s
            if left_s <= 0:
                break
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_S)):
                    await self._settled.wait()
        return self.unacknowledged == 0

    def _hand_over(self, event: Event | None) -> None:
        """From a thread to the loop; None: an update was settled without an event."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._arrived, event)

    def _arrived(self, event: Event | None) -> None:
        self._settled.set()
        match event:
            case Subscribed():
                self._subscribed = True
            case Disconnected():
                self._subscribed = False
            case Shutdown() if not self._subscribed:
                self._abandoned = True
        if event is not None:
            self._queue.put_nowait(event)


def _join(link: ExecutorDriver, sender: Sender) -> None:
    link.join(CLOSE_TIMEOUT_S)
    sender.join(CLOSE_TIMEOUT_S)
    if not sender.is_alive():
        link.hang_up()
