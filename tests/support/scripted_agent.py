"""An agent's executor API on a loopback socket that does exactly what a test says: late, wrong, twice, half or not.

It exists to inject faults; what a real agent does is tested in tests/mesos. It lives in the test's own event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executor.mesos.environment import Environment
from executor.names import AgentId, ExecutorId, FrameworkId, MesosContainerId

Json = dict[str, Any]
Answer = tuple[int, str]
Greet = Callable[["Subscription"], Awaitable[None]]

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
SUBSCRIBED: Json = {
    "type": "SUBSCRIBED",
    "subscribed": {
        "executor_info": {"executor_id": {"value": "e"}},
        "framework_info": {"id": {"value": "f"}, "capabilities": [{"type": "PARTITION_AWARE"}]},
        "agent_info": {"id": {"value": "a"}},
        "container_id": {"value": "c"},
    },
}


def record(event: Json) -> bytes:
    data = json.dumps(event).encode()
    return b"%d\n%s" % (len(data), data)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def launch(task_id: str) -> Json:
    return {"type": "LAUNCH", "launch": {"task": {"task_id": {"value": task_id}, "name": task_id}}}


def acknowledged(status: Json) -> Json:
    return {"type": "ACKNOWLEDGED", "acknowledged": {"task_id": status["task_id"], "uuid": status["uuid"]}}


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: Json

    @property
    def status(self) -> Json:
        status: Json = self.body["update"]["status"]
        return status


@dataclass
class Subscription:
    """One SUBSCRIBE and the stream that answers it."""

    request: Request
    writer: asyncio.StreamWriter

    @property
    def unacknowledged_tasks(self) -> list[str]:
        return [task["task_id"]["value"] for task in self.request.body["subscribe"]["unacknowledged_tasks"]]

    @property
    def unacknowledged_updates(self) -> list[Json]:
        return [update["status"] for update in self.request.body["subscribe"]["unacknowledged_updates"]]

    async def send(self, *events: Json) -> None:
        await self.write(b"".join(chunk(record(event)) for event in events))

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


async def welcome(subscription: Subscription) -> None:
    await subscription.write(CHUNKED)
    await subscription.send(SUBSCRIBED)


def answering(first: bytes, *, close: bool = False) -> Greet:
    """Answers the first SUBSCRIBE with these bytes, every later one well."""
    pending = [first]

    async def greet(subscription: Subscription) -> None:
        if not pending:
            await welcome(subscription)
            return
        await subscription.write(pending.pop())
        if close:
            subscription.close()

    return greet


def http(status: int, text: str) -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


async def accept(_: Request) -> Answer:
    return 202, ""


@dataclass
class ScriptedAgent:
    """`greet` answers every SUBSCRIBE, `answer` every other call; both may be replaced at any time."""

    greet: Greet = welcome
    answer: Callable[[Request], Awaitable[Answer]] = accept
    domain_socket: Path | None = None
    port: int = 0
    subscriptions: asyncio.Queue[Subscription] = field(default_factory=asyncio.Queue)
    calls: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)
    connections: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.die()

    async def start(self) -> None:
        if self.domain_socket is not None:
            self._server = await asyncio.start_unix_server(self._serve, self.domain_socket)
            return
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self) -> None:
        """As SIGKILL: the port closes and every connection breaks. `start` brings it back on the same port."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)

    def environment(self, **fields: Any) -> Environment:
        defaults: dict[str, Any] = {
            "framework_id": FrameworkId("f"),
            "executor_id": ExecutorId("e"),
            "agent_id": AgentId("a"),
            "agent_endpoint": f"127.0.0.1:{self.port or 1}",
            "sandbox": Path("/sandbox"),
            "container_id": MesosContainerId("c"),
            "checkpoint": True,
            "domain_socket": self.domain_socket,
        }
        return Environment(**(defaults | fields))

    async def subscribed(self) -> Subscription:
        """The next SUBSCRIBE, after it was greeted."""
        return await asyncio.wait_for(self.subscriptions.get(), 10)

    async def call(self) -> Request:
        """The next other call, after it was answered."""
        return await asyncio.wait_for(self.calls.get(), 10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while (request := await _read(reader)).body["type"] != "SUBSCRIBE":
                status, text = await self.answer(request)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
                self.calls.put_nowait(request)
            subscription = Subscription(request, writer)
            await self.greet(subscription)
            self.subscriptions.put_nowait(subscription)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
    return Request(head[0], headers, json.loads(await reader.readexactly(int(headers["content-length"]))))
