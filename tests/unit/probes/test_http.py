from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from executor.probes import http
from executor.probes.ask import LOOPBACK
from executor.probes.sockets import Place, Sockets
from executor.probes.state import Result
from executor.spec.probes import HttpGet
from tests.unit.probes.servers import fixed, redirecting, self_signed, serving

OK = "HTTP/1.1 200 OK\nContent-Length: 2"


async def get(port: int, path: str = "/", **fields: object) -> Result:
    request = HttpGet(port, path, **fields)  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        return await http.get(Place(LOOPBACK, port), request, Sockets())


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (204, True), (304, True), (399, True), (400, False), (503, False)]
)
async def test_statuses_from_200_to_399_pass(status: int, ok: bool) -> None:
    async with serving(fixed(f"HTTP/1.1 {status} Any\nContent-Length: 0")) as seen:
        result = await get(seen.port)
    assert (result.ok, result.value) == (ok, status)
    assert ok or f"status {status}" in result.message


async def test_the_request_is_kubelets() -> None:
    async with serving(fixed(OK, b"ok")) as seen:
        headers = (("Host", "web.example"), ("X-Token", "a b"), ("accept", ""))
        assert (await get(seen.port, "ready?deep=1&x=%20", headers=headers)).ok
    lines = seen.requests[0].split("\r\n")
    assert lines[0] == "GET /ready?deep=1&x=%20 HTTP/1.1"
    names = {line.split(":")[0].lower(): line.split(": ")[1] for line in lines[1:] if line}
    assert names.pop("user-agent").startswith("mesos-pod-executor-probe/")
    assert names == {"host": "web.example", "x-token": "a b", "connection": "close"}


async def test_without_headers_the_host_is_the_address() -> None:
    async with serving(fixed(OK, b"ok")) as seen:
        await get(seen.port)
    assert f"Host: {LOOPBACK}:{seen.port}\r\n" in seen.requests[0] and "Accept: */*\r\n" in seen.requests[0]


async def test_redirects_to_the_same_host_are_followed_with_the_host_header() -> None:
    async with serving(redirecting({"/": "/a/", "/a/": "b"})) as seen:
        assert (await get(seen.port, headers=(("Host", "web.example"),))).value == 200
    assert [request.split()[1] for request in seen.requests] == ["/", "/a/", "/a/b"]
    assert all("Host: web.example\r\n" in request for request in seen.requests)


async def test_a_redirect_to_another_port_of_the_same_host_is_followed() -> None:
    locations: dict[str, str] = {}
    async with serving(fixed("HTTP/1.1 500 No\nContent-Length: 0")) as other, serving(redirecting(locations)) as seen:
        locations["/"] = f"http://{LOOPBACK}:{other.port}/x"
        assert (await get(seen.port)).value == 500


@pytest.mark.parametrize("location", ["http://127.0.0.2:1/", "http://web.example/", "//other/", "gopher://127.0.0.1/"])
async def test_a_redirect_to_another_host_passes_and_is_not_followed(location: str) -> None:
    async with serving(redirecting({"/": location})) as seen:
        result = await get(seen.port)
    assert (result.ok, result.value) == (True, 302)


async def test_a_redirect_to_what_is_no_address_fails() -> None:
    async with serving(redirecting({"/": f"http://{LOOPBACK}:99999/"})) as seen:
        assert not (await get(seen.port)).ok


async def test_redirects_without_end_fail() -> None:
    async with serving(redirecting({"/": "/"})) as seen:
        result = await get(seen.port)
    assert not result.ok and "redirects" in result.message
    assert len(seen.requests) == http.REDIRECTS_MAX + 1


async def test_no_certificate_is_verified() -> None:
    async with serving(fixed(OK, b"ok"), tls=self_signed()) as seen:
        assert (await get(seen.port, tls=True)).ok
        assert not (await get(seen.port)).ok


async def endless(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 4096)
        await writer.drain()


async def test_of_an_endless_body_only_the_beginning_is_read() -> None:
    async with serving(endless) as seen:
        assert (await get(seen.port)).ok


async def test_an_endless_head_fails() -> None:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Y: " + b"z" * 4096 + b"\r\n")
            await writer.drain()

    async with serving(answer) as seen:
        assert not (await get(seen.port)).ok


@pytest.mark.parametrize("head", ["SSH-2.0-x", "HTTP/1.1 twohundred", "HTTP/1.1 200 OK\nContent-Length: x"])
async def test_garbage_fails(head: str) -> None:
    async with serving(fixed(head)) as seen:
        result = await get(seen.port)
    assert not result.ok and result.message


async def test_an_answer_that_is_cut_off_fails() -> None:
    async with serving(fixed("HTTP/1.1 200 OK\nContent-Length: 100", b"half")) as seen:
        assert not (await get(seen.port)).ok
    async with serving(fixed("")) as seen:
        assert not (await get(seen.port)).ok


async def test_http_1_0_without_a_length_is_read_to_its_end() -> None:
    async with serving(fixed("HTTP/1.0 200 OK", b"fine")) as seen:
        assert (await get(seen.port)).ok


async def test_a_closed_port_fails_and_says_so() -> None:
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        result = await get(held.getsockname()[1])
    assert not result.ok and "refused" in result.message and result.value is None


SERVER = """
import socket, sys
head, part = (bytes.fromhex(each) for each in sys.argv[1:])
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
    connection.recv(65536)
    try:
        connection.sendall(head)
        while True:
            connection.sendall(part * 10000)
    except OSError:
        pass
"""


@contextlib.contextmanager
def endless_answer(head: bytes, part: bytes) -> Iterator[int]:
    """A server of one answer, in a process of its own; its port."""
    command = [sys.executable, "-c", SERVER, head.hex(), part.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


@pytest.mark.parametrize(
    ("head", "part", "words"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "no end within"),
        (b"", b"\r\n", "no response line"),
        (b"HTTP/1.1 200 OK\r\n", b"a:b\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60 + b"\r\nx\r\n", "no end within"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "ok"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"body", "ok"),
    ],
)
async def test_an_answer_of_endless_small_parts_does_not_hold_the_loop(head: bytes, part: bytes, words: str) -> None:
    with endless_answer(head, part) as port:
        probe = asyncio.create_task(get(port))
        worst_s = 0.0
        while not probe.done():
            begin_s = time.thread_time()
            await asyncio.sleep(0)
            worst_s = max(worst_s, time.thread_time() - begin_s)
    result = await probe
    assert result.ok if words == "ok" else not result.ok and words in result.message, result
    assert worst_s < 0.03, "of CPU time in one turn of the loop"
