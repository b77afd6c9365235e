"""A control server with one route for each way that a handler can end, and clients that speak to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from executor.control.server import Limits, Request, Response, Routes, Stream
from executor.errors import CgroupFailure, InvalidRequest, NotFound, Refused

LIMITS = Limits(connections=4, header_bytes=2048, body_bytes=4096, receive_s=0.3, send_s=0.3)


class Handlers:
    """What a composer would give: one route for each way a handler can end."""

    def __init__(self) -> None:
        self.finished = asyncio.Event()
        self.closed = asyncio.Event()

    async def echo(self, request: Request) -> Response:
        answer = {
            "parameters": request.parameters,
            "query": request.query,
            "body": request.body,
            "uid": request.peer.uid,
        }
        return Response(answer)

    async def slow(self, request: Request) -> Response:
        await asyncio.sleep(0.1)
        self.finished.set()
        return Response({})

    async def fail(self, request: Request) -> Response:
        raise {
            "invalid": InvalidRequest("bad", subject="grace", hint="correct it"),
            "missing": NotFound("not here"),
            "refused": Refused("no"),
            "failure": CgroupFailure("busy"),
            "bug": ZeroDivisionError("oops"),
        }[request.parameters["kind"]]

    async def count(self, request: Request) -> Stream:
        return Stream(self._numbers(int(request.query["n"])))

    async def broken(self, _: Request) -> Stream:
        return Stream(self._broken())

    async def _numbers(self, count: int) -> AsyncGenerator[Mapping[str, Any], None]:
        try:
            for number in range(count):
                yield {"number": number, "padding": "x" * 4000}
            if count == 1:
                await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def _broken(self) -> AsyncGenerator[Mapping[str, Any], None]:
        yield {"number": 0}
        raise ZeroDivisionError("oops")

    def routes(self) -> Routes:
        return {
            ("GET", "/v1/echo/{name}"): self.echo,
            ("POST", "/v1/echo/{name}"): self.echo,
            ("POST", "/v1/slow"): self.slow,
            ("GET", "/v1/fail/{kind}"): self.fail,
            ("GET", "/v1/count"): self.count,
            ("GET", "/v1/broken"): self.broken,
        }


@contextlib.asynccontextmanager
async def client(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            return await reader.read()
    return b""


async def ask(path: Path, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
    async with client(path) as (reader, writer):
        head = f"{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer, _, text = (await read_all(reader)).partition(b"\r\n\r\n")
    return int(answer.split()[1]), json.loads(text)
