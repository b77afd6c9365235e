"""A gRPC server in the place of containerd that has nothing: every list is empty, and every call is noted.

    async with empty_containerd(directory / "c.sock") as calls: ...

An empty message of protobuf is no bytes, so one handler answers every unary call of every service. A test can have
calls fail by their name, or answer them. What a real containerd does is tested in tests/integration.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

STREAM = "Events/Subscribe"
CONTAINERS = "Containers/ListStream"


@dataclass
class Calls(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """`seen`: the calls in their order, as `Leases/Delete`. `failing`: the code that a call is answered with.
    `faults`: the codes and texts that the next calls of a name are answered with. `replies`: from the bytes of a
    request to those of its answer; `containers`: to the messages of the list of containers. No call is answered unless
    `held` is set.
    """

    seen: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    failing: dict[str, grpc.StatusCode] = field(default_factory=dict)
    faults: dict[str, list[tuple[grpc.StatusCode, str]]] = field(default_factory=dict)
    replies: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    containers: Callable[[bytes], Sequence[bytes]] = lambda _: ()

    def service(self, details: Any) -> Any:
        """The handler of one call."""
        name = details.method.rpartition(".")[2]

        async def answer(request: bytes, context: Any) -> bytes:
            self.seen.append(name)
            await self.held.wait()
            if faults := self.faults.get(name):
                await context.abort(*faults.pop(0))
            if name in self.failing:
                await context.abort(self.failing[name], "as the test wants it")
            return self.replies[name](request) if name in self.replies else b""

        async def silent(_: bytes, _context: Any) -> AsyncIterator[bytes]:
            self.seen.append(name)
            await asyncio.Event().wait()
            yield b""

        async def listed(request: bytes, _context: Any) -> AsyncIterator[bytes]:
            self.seen.append(name)
            for each in self.containers(request):
                yield each

        if name == STREAM:
            return grpc.unary_stream_rpc_method_handler(silent)
        if name == CONTAINERS:
            return grpc.unary_stream_rpc_method_handler(listed)
        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.asynccontextmanager
async def empty_containerd(socket: Path) -> AsyncIterator[Calls]:
    """A server at `socket`, in the test's event loop."""
    calls, server = Calls(), grpc.aio.server()
    calls.held.set()
    server.add_generic_rpc_handlers((calls,))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield calls
    finally:
        await server.stop(None)
