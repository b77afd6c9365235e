"""Real servers on loopback for probes to ask."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass
class Seen:
    """`requests` as they came, up to their empty line."""

    port: int = 0
    requests: list[str] = field(default_factory=list)


Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def fixed(head: str, body: bytes = b"") -> Answer:
    """The same answer to each request; the connection is closed after it."""

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    return answer


def redirecting(locations: dict[str, str]) -> Answer:
    """302 for the paths that are known, 200 for all others."""

    async def answer(request: str, writer: asyncio.StreamWriter) -> None:
        location = locations.get(request.split()[1])
        head = f"HTTP/1.1 302 Found\r\nLocation: {location}" if location else "HTTP/1.1 200 OK"
        writer.write(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


@asynccontextmanager
async def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Seen, None]:
    seen = Seen()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            seen.requests.append(request)
            await answer(request, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, LOOPBACK, 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()


def self_signed() -> ssl.SSLContext:
    """A certificate for a name that is not the server's."""
    here = Path(__file__).parent
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(here / "certificate.pem", here / "key.pem")
    return context
