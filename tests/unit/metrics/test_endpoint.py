"""The metrics port: who asks often makes no work."""

from __future__ import annotations

import asyncio
import socket

from executor.control.http import Request, Response
from executor.metrics import endpoint


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def get(port: int, query: str = "") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /metrics{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_requests_of_a_moment_share_one_answer() -> None:
    made = list[str]()

    async def answer(request: Request) -> Response:
        made.append(request.query.get("identity", ""))
        await asyncio.sleep(0.05)
        return Response(f"answer {len(made)}")

    async with endpoint.port(number := free_port(), answer):
        found = await asyncio.gather(*(get(number) for _ in range(8)))
        assert all(b"answer 1" in each for each in found) and made == [""]
        assert b"answer 2" in await get(number, "?identity=1") and b"answer 2" in await get(number, "?identity=1")
        await asyncio.sleep(endpoint.SHARED_S)
        assert b"answer 3" in await get(number) and made == ["", "1", ""]


async def test_a_failure_is_shared_with_nobody() -> None:
    made = 0

    async def answer(_: Request) -> Response:
        nonlocal made
        made += 1
        if made == 1:
            raise OSError(24, "Too many open files")
        return Response("an answer")

    async with endpoint.port(number := free_port(), answer):
        assert b" 503 " in (await get(number)).partition(b"\r\n")[0]
        assert b"an answer" in await get(number)
