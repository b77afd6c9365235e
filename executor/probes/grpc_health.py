"""gRPC's health check, without TLS, as kubelet asks (pkg/probe/grpc): only SERVING is a success.

The two messages of grpc.health.v1 have one field each, so that they are written here by hand: HealthCheckRequest is a
text with the tag 1, HealthCheckResponse an enum with the tag 1.
Source: github.com/grpc/grpc/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

import grpc

from executor.probes.sockets import why
from executor.probes.state import Result

if TYPE_CHECKING:
    from executor.probes.sockets import Place, Sockets
    from executor.spec.probes import Grpc

METHOD: Final = "/grpc.health.v1.Health/Check"
SERVING: Final = 1
_STATES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),  # a refused connection must not delay the next probe
    ("grpc.enable_http_proxy", 0),
    ("grpc.primary_user_agent", "mesos-pod-executor-probe"),
    ("grpc.max_receive_message_length", 64 << 10),
)


async def probe(place: Place, request: Grpc, sockets: Sockets) -> Result:
    """The time limit is the caller's."""
    try:
        async with _target(place, sockets) as target, grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
            state = await channel.unary_unary(METHOD, _encoded, _decoded)(request.service)
    except OSError as error:
        return Result(ok=False, message=f"cannot connect to {place.text}: {why(error)}")
    except grpc.aio.AioRpcError as error:
        return Result(ok=False, message=f"gRPC health of {place.text}: {error.code().name}: {error.details()}"[:300])
    ok = state == SERVING
    return Result(ok, "" if ok else f"gRPC health of {place.text}: {_STATES.get(state, state)}")


def _encoded(service: str) -> bytes:
    value = service.encode()
    return b"\x0a" + _varint(len(value)) + value if value else b""


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _decoded(message: bytes) -> int:
    """The status; an absent one is 0. What the message has beside it is not read."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0


@contextlib.asynccontextmanager
async def _target(place: Place, sockets: Sockets) -> AsyncGenerator[str, None]:
    """gRPC makes its own connections, in the own network; into another one it goes through a relay on an abstract
    socket with a name that no other process can guess.
    """
    connected = await sockets.connected(place)
    if connected is None:
        yield f"{_scheme(place.host)}:{place.text}"
        return
    reader, writer = await asyncio.open_connection(sock=connected)
    name = f"probe-{secrets.token_hex(16)}"
    work: list[asyncio.Task[None]] = []
    writers = [writer]

    def relay(inner: asyncio.StreamReader, outer: asyncio.StreamWriter) -> None:
        writers.append(outer)
        work.extend(asyncio.ensure_future(copy) for copy in (_copy(inner, writer), _copy(reader, outer)))

    server = await asyncio.start_unix_server(relay, f"\0{name}")
    try:
        yield f"unix-abstract:{name}"
    finally:
        server.close()
        for task in work:
            task.cancel()
        for each in writers:
            each.transport.abort()


def _scheme(host: str) -> str:
    """An address needs no resolver, which costs gRPC a thread."""
    try:
        return f"ipv{ipaddress.ip_address(host).version}"
    except ValueError:
        return "dns"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(64 << 10):
            writer.write(data)
            await writer.drain()
    writer.close()
