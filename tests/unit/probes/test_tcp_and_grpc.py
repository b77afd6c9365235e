from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import pytest

from executor.probes import grpc_health, tcp
from executor.probes.ask import LOOPBACK
from executor.probes.sockets import Place, Sockets
from executor.probes.state import Result
from executor.spec.probes import Grpc

STATES = {"": 1, "ready": 1, "stopping": 2, "x" * 300: 1}


class Health(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers by the name of the service."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != grpc_health.METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    async def check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        name = request[3 if len(request) > 129 else 2 :].decode()
        if name == "slow":
            await asyncio.sleep(60)
        if name not in STATES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([8, STATES[name]])


@asynccontextmanager
async def health_server(*, implemented: bool = True) -> AsyncGenerator[int, None]:
    server = grpc.aio.server()
    if implemented:
        server.add_generic_rpc_handlers((Health(),))
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


async def check(port: int, service: str = "") -> Result:
    async with asyncio.timeout(20):
        return await grpc_health.probe(Place(LOOPBACK, port), Grpc(port, service), Sockets())


@pytest.mark.parametrize("service", ["", "ready", "x" * 300])
async def test_serving_passes(service: str) -> None:
    async with health_server() as port:
        assert (await check(port, service)).ok


async def test_everything_else_fails_and_says_so() -> None:
    async with health_server() as port:
        assert "NOT_SERVING" in (await check(port, "stopping")).message
        assert "NOT_FOUND: unknown service" in (await check(port, "other")).message
    async with health_server(implemented=False) as port:
        assert "UNIMPLEMENTED" in (await check(port)).message
    result = await check(port)
    assert not result.ok and "UNAVAILABLE" in result.message


async def test_a_server_that_comes_back_is_found_at_once() -> None:
    """gRPC's own back-off between connections must not outlive a probe."""
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        port = held.getsockname()[1]
        for _ in range(3):
            assert not (await check(port)).ok
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Health(),))
    assert server.add_insecure_port(f"{LOOPBACK}:{port}") == port
    await server.start()
    try:
        async with asyncio.timeout(1):
            assert (await check(port)).ok
    finally:
        await server.stop(0)


async def test_a_cancelled_check_leaves_nothing_that_fails_later() -> None:
    async with health_server() as port:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await check(port, "slow")
        assert (await check(port)).ok


async def test_a_listening_port_passes_and_a_closed_one_fails() -> None:
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        place = Place(LOOPBACK, held.getsockname()[1])
        result = await tcp.probe(place, Sockets())
        assert (result.ok, result.value) == (False, False) and "refused" in result.message
        held.listen()
        assert await tcp.probe(place, Sockets()) == Result(ok=True, value=True)
