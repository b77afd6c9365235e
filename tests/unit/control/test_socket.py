"""The control socket's streams, its file and who may connect, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from executor.control.server import Limits, Server
from executor.errors import InvalidConfig, Refused
from tests.support.control import LIMITS, Handlers, ask, client, read_all


async def test_a_stream_ends_when_its_source_does(path: Path, handlers: Handlers) -> None:
    async with client(path) as (reader, writer):
        writer.write(b"GET /v1/count?n=3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await read_all(reader)
    assert b"application/jsonl" in answer
    assert answer.count(b'"number"') == 3
    assert answer.endswith(b"0\r\n\r\n")
    assert handlers.closed.is_set()


async def wait_for_close(handlers: Handlers) -> None:
    async with asyncio.timeout(5):
        await handlers.closed.wait()


async def test_a_stream_is_closed_when_its_client_hangs_up(path: Path, handlers: Handlers) -> None:
    async with client(path) as (reader, writer):
        writer.write(b"GET /v1/count?n=1 HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"}\n")
        assert not handlers.closed.is_set()
    await wait_for_close(handlers)


async def test_a_client_that_stops_reading_is_dropped(path: Path, handlers: Handlers) -> None:
    with socket.socket(socket.AF_UNIX) as stalled:
        stalled.connect(str(path))
        stalled.sendall(b"GET /v1/count?n=100000 HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await ask(path, "GET", "/v1/echo/a"))[0] == 200
        await wait_for_close(handlers)


async def test_a_stream_that_fails_has_no_end_mark(path: Path, records: list[Mapping[str, Any]]) -> None:
    async with client(path) as (reader, writer):
        writer.write(b"GET /v1/broken HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await read_all(reader)
    assert b'"number": 0' in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert [record["code"] for record in records if record["level"] == "error"] == ["control.bug"]


async def test_more_clients_than_served_are_told_so(path: Path, records: list[Mapping[str, Any]]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(LIMITS.connections):
            await stack.enter_async_context(client(path))
        status, answer = await ask(path, "GET", "/v1/echo/a")
        assert status == 503
        assert "all 4 connections" in answer["error"]["message"]
    assert [record["code"] for record in records] == ["control.crowded"]
    await asyncio.sleep(0.05)
    assert (await ask(path, "GET", "/v1/echo/a"))[0] == 200


async def test_only_the_owner_may_connect(path: Path) -> None:
    assert os.stat(path).st_mode & 0o777 == 0o600  # noqa: PTH116
    assert os.listdir(path.parent) == ["c0ffee.sock"]  # noqa: PTH208


@pytest.mark.root
async def test_another_user_is_refused_even_if_the_file_lets_it_in(
    handlers: Handlers, records: list[Mapping[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101
        path = Path(directory) / "x.sock"
        async with Server(path, handlers.routes()):
            os.chmod(path, 0o666)  # noqa: PTH101
            connect = f"s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); print(s.recv(4096).decode())"
            process = await asyncio.create_subprocess_exec(
                "/usr/bin/python3", "-c", f"import socket; {connect}", stdout=asyncio.subprocess.PIPE, user=65534
            )
            output, _ = await process.communicate()
    assert b"403" in output
    assert [(record["code"], record["uid"]) for record in records if "uid" in record] == [
        ("control.refused_peer", 65534)
    ]


async def test_a_stale_socket_is_replaced_and_a_live_one_is_not(path: Path, handlers: Handlers, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        await Server(path, handlers.routes()).start()
    stale = tmp_path / "run" / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    async with Server(stale, handlers.routes()):
        assert (await ask(stale, "GET", "/v1/echo/a"))[0] == 200
    assert not stale.exists()


async def test_a_file_that_is_no_socket_is_replaced(tmp_path: Path, handlers: Handlers) -> None:
    path = tmp_path / "x.sock"
    path.write_text("")
    async with Server(path, handlers.routes()):
        assert (await ask(path, "GET", "/v1/echo/a"))[0] == 200


async def test_the_socket_of_a_successor_is_left_alone(tmp_path: Path, handlers: Handlers) -> None:
    path = tmp_path / "x.sock"
    first = Server(path, handlers.routes())
    await first.start()
    path.unlink()
    async with Server(path, handlers.routes()):
        await first.close()
        assert (await ask(path, "GET", "/v1/echo/a"))[0] == 200


async def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="too long"):
        await Server(tmp_path / ("x" * 120), {}).start()


async def test_closing_ends_open_connections(tmp_path: Path, handlers: Handlers) -> None:
    path = tmp_path / "x.sock"
    server = Server(path, handlers.routes())
    await server.start()
    async with client(path) as (reader, writer):
        writer.write(b"GET /v1/count?n=1 HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"}\n")
        await server.close()
        assert handlers.closed.is_set()
        assert b"0\r\n\r\n" not in await read_all(reader)
    assert not path.exists()


async def test_fifty_clients_at_once(tmp_path: Path, handlers: Handlers) -> None:
    path = tmp_path / "x.sock"
    async with Server(path, handlers.routes(), limits=Limits(connections=64)):
        answers = await asyncio.gather(*(ask(path, "GET", f"/v1/echo/{number}") for number in range(50)))
    assert [answer["parameters"]["name"] for _, answer in answers] == [str(number) for number in range(50)]
