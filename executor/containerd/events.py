"""containerd's Events service: what happens to containers, without losing anything in silence.

An event that is published before a subscription stands is gone, and containerd says nothing when it stands. So an event
of our own is published until the subscription delivers it: from then on it is live. That is done when it is opened
and again after containerd came back; `Resync` is given out after that, so a listing made on it misses nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty

from executor.containerd import convert
from executor.containerd.api import events_pb2 as pb
from executor.containerd.api import task_events_pb2
from executor.containerd.channel import Channel
from executor.containerd.types import Event, Resync, TaskDelete, TaskExit, TaskOom, TaskStart
from executor.errors import ContainerdFailure, ContainerdUnavailable
from executor.log import get_logger

_SERVICE = "events.v1.Events"
_OPEN_TIMEOUT_S: Final = 10.0
_PROBE_INTERVAL_S: Final = 0.01
_RETRY_FIRST_S: Final = 0.05
_RETRY_MAX_S: Final = 1.0

_log = get_logger(__name__)


class Topic(StrEnum):
    EXIT = "/tasks/exit"
    OOM = "/tasks/oom"
    START = "/tasks/start"
    EXEC_STARTED = "/tasks/exec-started"
    DELETE = "/tasks/delete"


class Events:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def subscribe(self, topics: Sequence[Topic] = (Topic.EXIT, Topic.OOM)) -> Subscription:
        """To be entered with `async with`; inside, the subscription is live. Events of this namespace only."""
        return Subscription(self._channel, topics)


class Subscription:
    """An endless iterator of events. One reader; cancelling a read interrupts it, and the next read gives Resync.

    Ends in ContainerdUnavailable only when the channel is closed; while containerd is away it waits for it.
    """

    def __init__(self, channel: Channel, topics: Sequence[Topic]) -> None:
        self._channel = channel
        self._topics = tuple(topics)
        self._stream: AsyncGenerator[pb.Envelope, None] | None = None
        self._early: deque[pb.Envelope] = deque()

    async def __aenter__(self) -> Self:
        """ContainerdUnavailable."""
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while self._stream is not None:
            try:
                envelope = self._early.popleft() if self._early else await anext(self._stream)
            except (ContainerdFailure, StopAsyncIteration) as error:
                # What it means is the caller's to say, who gets Resync.
                _log.debug("containerd's events were interrupted", address=self._channel.socket, error=error)
                await self._drop()
                break
            event = decode(envelope)
            if event is not None:
                return event
        await self._reopen()
        return Resync()

    async def _reopen(self) -> None:
        delay_s = _RETRY_FIRST_S
        while True:
            try:
                return await self._open()
            except ContainerdFailure as error:
                if self._channel.closed:
                    raise
                if delay_s == _RETRY_FIRST_S:  # once an outage; Resync tells that it is over
                    _log.warning(
                        "containerd does not answer",
                        code="containerd.unavailable",
                        address=self._channel.socket,
                        error=error,
                    )
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _RETRY_MAX_S)

    async def _open(self) -> None:
        topic = f"/mesos-pod-executor/subscribed/{secrets.token_hex(8)}"
        request = pb.SubscribeRequest(filters=filters(self._channel.namespace, (*self._topics, topic)))
        stream = self._channel.stream(
            f"{_SERVICE}/Subscribe", request, pb.Envelope, subject="subscription", timeout_s=None
        )
        self._early.clear()
        self._stream = stream
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await self._until_live(stream, topic)
        except TimeoutError as error:
            await self._drop()
            message = f"no sign of a new subscription within {_OPEN_TIMEOUT_S:g} s"
            raise ContainerdUnavailable(message, subject=self._channel.socket) from error
        except BaseException:
            await self._drop()
            raise

    async def _until_live(self, stream: AsyncGenerator[pb.Envelope, None], topic: str) -> None:
        """Publish on a topic of our own until it comes back; what else comes meanwhile is kept."""
        probe = pb.PublishRequest(topic=topic, event=AnyMessage(type_url="google.protobuf.Empty"))
        while True:
            reading = asyncio.ensure_future(anext(stream))
            try:
                while not reading.done():
                    await self._channel.call(f"{_SERVICE}/Publish", probe, Empty, subject=topic)
                    await asyncio.wait({reading}, timeout=_PROBE_INTERVAL_S)
            finally:
                if not reading.done():
                    reading.cancel()
                    await asyncio.wait({reading})
                if not reading.cancelled():
                    reading.exception()  # where Publish failed too, asyncio would report an exception never retrieved
            try:
                envelope = reading.result()
            except StopAsyncIteration as error:
                raise ContainerdUnavailable("the subscription ended", subject=self._channel.socket) from error
            if envelope.topic == topic:
                return
            self._early.append(envelope)

    async def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()


def filters(namespace: str, topics: Sequence[str]) -> list[str]:
    """containerd's filters for these topics of one namespace: alternatives of conjunctions. Pure."""
    return [f"namespace=={convert.quoted(namespace)},topic=={convert.quoted(topic)}" for topic in topics]


def decode(envelope: pb.Envelope) -> Event | None:
    """The event in an envelope; None for one of no interest, such as a probe that came twice. Pure."""
    decoder = _DECODERS.get(envelope.topic)
    return decoder(envelope.event.value) if decoder else None


def _exit(data: bytes) -> Event:
    e = task_events_pb2.TaskExit.FromString(data)
    return TaskExit(e.container_id, _exec_id(e.container_id, e.id), e.pid, e.exit_status, convert.when(e.exited_at))


def _delete(data: bytes) -> Event:
    e = task_events_pb2.TaskDelete.FromString(data)
    return TaskDelete(e.container_id, _exec_id(e.container_id, e.id), e.pid, e.exit_status, convert.when(e.exited_at))


def _oom(data: bytes) -> Event:
    return TaskOom(task_events_pb2.TaskOOM.FromString(data).container_id)


def _start(data: bytes) -> Event:
    e = task_events_pb2.TaskStart.FromString(data)
    return TaskStart(e.container_id, "", e.pid)


def _exec_started(data: bytes) -> Event:
    e = task_events_pb2.TaskExecStarted.FromString(data)
    return TaskStart(e.container_id, e.exec_id, e.pid)


def _exec_id(container_id: str, process_id: str) -> str:
    """containerd gives a container's first process the container's id."""
    return "" if process_id == container_id else process_id


_DECODERS: dict[str, Callable[[bytes], Event]] = {
    Topic.EXIT: _exit,
    Topic.OOM: _oom,
    Topic.START: _start,
    Topic.EXEC_STARTED: _exec_started,
    Topic.DELETE: _delete,
}
