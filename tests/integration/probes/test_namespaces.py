"""Probes of the loopback of a network namespace that has no other network."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from executor.cni import netns
from executor.probes import grpc_health, http, tcp
from executor.probes.sockets import Place, Sockets
from executor.spec.probes import Grpc, HttpGet

pytestmark = pytest.mark.root

WEB, WEB6, HEALTH = 8080, 8081, 8082
SERVERS = f"""
import asyncio, grpc
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()
async def check(request, context):
    return b"\\x08\\x01"
class Health(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(check)
async def main():
    await asyncio.start_server(answer, "127.0.0.1", {WEB})
    await asyncio.start_server(answer, "::1", {WEB6})
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Health(),))
    assert server.add_insecure_port("127.0.0.1:{HEALTH}")
    await server.start()
    print("listens", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""

Somewhere = Callable[[str, int], Place]


def namespaces() -> set[Path]:
    """The network namespaces of all threads."""
    return {path.readlink() for path in Path("/proc/self/task").glob("*/ns/net")}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[Somewhere]:
    """A place in a namespace with the servers on its loopback."""
    path = tmp_path / "net"
    await netns.ensure(path)
    command = ["nsenter", f"--net={path}", sys.executable, "-c", SERVERS]
    server = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert server.stdout is not None and await server.stdout.readline() == b"listens\n"
    try:
        yield lambda host, port: Place(host, port, lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    finally:
        server.kill()
        await server.wait()
    await netns.destroy(path)


@pytest.fixture
def sockets() -> Sockets:
    return Sockets()


async def test_http_on_both_loopbacks(inside: Somewhere, sockets: Sockets) -> None:
    assert (await http.get(inside("127.0.0.1", WEB), HttpGet(WEB), sockets)).value == 200
    assert (await http.get(inside("::1", WEB6), HttpGet(WEB6), sockets)).value == 200


async def test_tcp(inside: Somewhere, sockets: Sockets) -> None:
    assert (await tcp.probe(inside("127.0.0.1", WEB), sockets)).ok
    assert not (await tcp.probe(inside("127.0.0.1", 1), sockets)).ok


async def test_grpc_through_the_relay(inside: Somewhere, sockets: Sockets) -> None:
    for _ in range(3):
        assert (await grpc_health.probe(inside("127.0.0.1", HEALTH), Grpc(HEALTH), sockets)).ok
    result = await grpc_health.probe(inside("127.0.0.1", 1), Grpc(1), sockets)
    assert not result.ok and "refused" in result.message


async def test_this_process_stays_where_it_was(inside: Somewhere, sockets: Sockets) -> None:
    home = namespaces()
    results = await asyncio.gather(*(tcp.probe(inside("127.0.0.1", WEB), sockets) for _ in range(50)))
    assert all(result.ok for result in results)
    assert namespaces() == home
    assert not (await tcp.probe(Place("127.0.0.1", WEB), sockets)).ok


async def test_no_descriptor_is_left(inside: Somewhere, sockets: Sockets) -> None:
    await grpc_health.probe(inside("127.0.0.1", HEALTH), Grpc(HEALTH), sockets)
    await http.get(inside("127.0.0.1", WEB), HttpGet(WEB), sockets)
    before = descriptors()
    for _ in range(20):
        await http.get(inside("127.0.0.1", WEB), HttpGet(WEB), sockets)
        await tcp.probe(inside("127.0.0.1", 1), sockets)
        await grpc_health.probe(inside("127.0.0.1", HEALTH), Grpc(HEALTH), sockets)
    await asyncio.sleep(0.2)
    assert descriptors() <= before + 3


async def test_a_namespace_that_is_gone_is_a_failure(sockets: Sockets) -> None:
    def gone() -> int:
        return os.open("/proc/0/ns/net", os.O_RDONLY)

    for result in (
        await tcp.probe(Place("127.0.0.1", 1, gone), sockets),
        await http.get(Place("127.0.0.1", 1, gone), HttpGet(1), sockets),
        await grpc_health.probe(Place("127.0.0.1", 1, gone), Grpc(1), sockets),
    ):
        assert not result.ok and "No such file" in result.message
