"""The control socket's requests: routes, errors, and clients that do not behave, over real sockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.control import Handlers, ask, client, read_all


async def test_a_request_reaches_its_handler_with_all_its_parts(path: Path) -> None:
    status, answer = await ask(path, "POST", "/v1/echo/a%2Fb%20c?wait=0&x=", b'{"k": [1]}')
    assert status == 200
    assert answer == {
        "parameters": {"name": "a/b c"},
        "query": {"wait": "0", "x": ""},
        "body": {"k": [1]},
        "uid": os.getuid(),
    }


@pytest.mark.parametrize(
    ("kind", "expected", "error"),
    [
        ("invalid", 400, {"message": "bad", "subject": "grace", "hint": "correct it"}),
        ("missing", 404, {"message": "not here", "subject": "", "hint": ""}),
        ("refused", 409, {"message": "no", "subject": "", "hint": ""}),
        ("failure", 503, {"message": "busy", "subject": "", "hint": ""}),
    ],
)
async def test_errors_become_statuses(path: Path, kind: str, expected: int, error: dict[str, str]) -> None:
    assert await ask(path, "GET", f"/v1/fail/{kind}") == (expected, {"error": error})


async def test_a_defect_is_500_and_one_error_line(path: Path, records: list[Mapping[str, Any]]) -> None:
    status, answer = await ask(path, "GET", "/v1/fail/bug")
    assert status == 500
    assert "ZeroDivisionError" in answer["error"]["message"]
    (line,) = [record for record in records if record["level"] == "error"]
    assert line["code"] == "control.bug"
    assert "oops" in line["exception"]


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/v2", 404),
        ("GET", "/v1/echo/", 200),
        ("GET", "/v1/echo/a/b", 404),
        ("DELETE", "/v1/echo/a", 405),
        ("HEAD", "/v1/slow", 405),
    ],
)
async def test_paths_and_methods_that_are_not_there(path: Path, method: str, target: str, expected: int) -> None:
    async with client(path) as (reader, writer):
        writer.write(f"{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        assert int((await read_all(reader)).split()[1]) == expected


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 4000])
async def test_a_body_that_is_not_json_is_400(path: Path, body: bytes) -> None:
    assert (await ask(path, "POST", "/v1/echo/a", body))[0] == 400


async def test_commands_that_change_something_are_events(path: Path, records: list[Mapping[str, Any]]) -> None:
    await ask(path, "GET", "/v1/echo/a")
    await ask(path, "POST", "/v1/echo/a", b"{}")
    (line,) = [record for record in records if record["code"] == "control.request"]
    assert (line["method"], line["path"], line["status"], line["pid"]) == ("POST", "/v1/echo/a", 200, os.getpid())


async def test_one_connection_serves_several_requests(path: Path) -> None:
    async with client(path) as (reader, writer):
        for number in range(3):
            writer.write(f"GET /v1/echo/{number} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            answer = await reader.readuntil(b"}\n")
            assert f'"name": "{number}"'.encode() in answer


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET /v1/echo/a HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 5000, b"431"),
        (b"POST /v1/echo/a HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n" + b"1" * 5000, b"413"),
        (b"POST /v1/echo/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET /v1/echo/a HTTP/1.1\r\nhost: x\r\n", b"408"),
        (b"POST /v1/echo/a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{", b"408"),
    ],
)
async def test_garbage_and_stalling_end_that_connection_only(path: Path, garbage: bytes, status: bytes) -> None:
    async with client(path) as (reader, writer):
        writer.write(garbage)
        assert (await read_all(reader)).split()[1] == status
    assert (await ask(path, "GET", "/v1/echo/a"))[0] == 200


async def test_an_idle_connection_is_closed_without_a_word(path: Path) -> None:
    async with client(path) as (reader, _):
        assert await read_all(reader) == b""


async def test_half_a_request_and_goodbye(path: Path, records: list[Mapping[str, Any]]) -> None:
    for piece in (b"", b"GET", b"POST /v1/slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{"):
        async with client(path) as (_, writer):
            writer.write(piece)
    assert (await ask(path, "GET", "/v1/echo/a"))[0] == 200
    assert not [record for record in records if record["level"] == "error"]


async def test_a_handler_is_not_cut_off_when_its_client_hangs_up(path: Path, handlers: Handlers) -> None:
    async with client(path) as (_, writer):
        body = b'{"id": "r-1"}'
        writer.write(b"POST /v1/slow HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await asyncio.sleep(0.02)
        assert not handlers.finished.is_set()
    async with asyncio.timeout(5):
        await handlers.finished.wait()


async def test_expect_100_continue(path: Path) -> None:
    async with client(path) as (reader, writer):
        writer.write(b"POST /v1/echo/a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert b"100" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"{}")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
