"""The port on 127.0.0.1: who is answered, and what a client may take."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from executor.control.http import Limits, Request, Response
from executor.control.loopback import ADDRESS, serving

LIMITS = Limits(connections=3, header_bytes=2048, body_bytes=0, receive_s=0.5, send_s=0.5)
LARGE = "x" * (4 << 20)


async def answer(request: Request) -> Response:
    return Response(LARGE if request.path == "/large" else f"page {request.path}", headers={"x-own": "1"})


@asynccontextmanager
async def client(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(ADDRESS, port, limit=1 << 16)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(port: int, request: str) -> str:
    """The whole answer to this text."""
    async with client(port) as (reader, writer):
        writer.write(request.encode())
        return (await asyncio.wait_for(reader.read(1 << 16), 5)).decode()


def get(host: str, path: str = "/", method: str = "GET") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8480", "[::1]:1", "127.0.0.1:8480"])
async def test_a_loopback_name_is_answered(host: str) -> None:
    async with serving(0, answer, LIMITS) as port:
        found = await ask(port, get(host, "/a"))
    assert found.startswith("HTTP/1.1 200") and found.endswith("page /a") and "x-own: 1" in found


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "", "a@127.0.0.1", "127.0.0.1:x"],
)
async def test_another_name_is_not(host: str) -> None:
    async with serving(0, answer, LIMITS) as port:
        found = await ask(port, get(host))
    assert found.startswith("HTTP/1.1 403") and "page" not in found


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 403),
        (get("localhost", method="POST"), 405),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 413),
        (f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 200_000}\r\n\r\n", 431),
        ("\x16\x03\x01 garbage\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_for_it(request_text: str, status: int) -> None:
    async with serving(0, answer, LIMITS) as port:
        assert (await ask(port, request_text)).startswith(f"HTTP/1.1 {status}")


async def test_a_client_that_drips_is_ended() -> None:
    """One byte now and then: the limit is for the whole request."""
    async with serving(0, answer, LIMITS) as port, client(port) as (reader, writer):
        answered = asyncio.ensure_future(reader.read(1 << 16))
        begin_s = asyncio.get_running_loop().time()
        for letter in get("localhost") * 100:
            writer.write(letter.encode())
            await asyncio.sleep(0.05)
            if answered.done():
                break
        assert asyncio.get_running_loop().time() - begin_s < 3
        assert answered.result().startswith(b"HTTP/1.1 408")


async def test_a_client_that_reads_nothing_is_ended() -> None:
    async with serving(0, answer, LIMITS) as port, client(port) as (reader, writer):
        writer.write(get("localhost", "/large").encode())
        await asyncio.sleep(1.5)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(len(LARGE))


HELD = {"idle": "", "half": "GET / HTTP/1.1\r\n", "garbage": "\x16\r\n\r\n", "unread": get("localhost", "/large")}


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
async def test_clients_that_hold_all_connections_keep_nobody_out(text: str) -> None:
    """Idle, in the middle of a request, after a refusal, or in the middle of an answer that they do not read."""
    limits = replace(LIMITS, receive_s=60, send_s=60)
    async with serving(0, answer, limits) as port, AsyncExitStack() as stack:
        for _ in range(3 * LIMITS.connections):
            _, writer = await stack.enter_async_context(client(port))
            writer.write(text.encode())
        await asyncio.sleep(0.1)
        for _ in range(2 * LIMITS.connections):
            assert (await ask(port, get("localhost"))).startswith("HTTP/1.1 200")


async def test_clients_that_come_at_once_are_bounded() -> None:
    """More than the limit within one step of the event loop: those that are dropped hold no descriptor."""
    async with serving(0, answer, LIMITS) as port:
        clients = [socket.create_connection((ADDRESS, port)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert sum(_is_open(each) for each in clients) == LIMITS.connections
        for each in clients:
            each.close()


def _is_open(connected: socket.socket) -> bool:
    connected.setblocking(False)
    try:
        return bool(connected.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


async def test_a_client_that_is_answered_stays_while_others_wait() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        if request.path == "/slow":
            begun.set()
            await go_on.wait()
        return await answer(request)

    async with serving(0, slow, LIMITS) as port, AsyncExitStack() as stack:
        answered = asyncio.ensure_future(ask(port, get("localhost", "/slow")))
        await begun.wait()
        for _ in range(3 * LIMITS.connections):
            await stack.enter_async_context(client(port))
        await asyncio.sleep(0.1)
        go_on.set()
        assert (await answered).endswith("page /slow")


async def test_a_port_that_is_taken() -> None:
    async with serving(0, answer, LIMITS) as port:
        with pytest.raises(OSError, match="in use"):
            async with serving(port, answer, LIMITS):
                pass
