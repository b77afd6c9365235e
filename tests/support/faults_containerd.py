"""A gRPC proxy before containerd's socket that injects faults into single calls (faults.py).

    with ContainerdFaults(containerd.address, directory) as proxy:
        proxy.address                                  # for the executor
        proxy.set(Plan(seed=7, rate=0.1, kinds=KINDS))

delay: the call comes later. fail, deadline: UNAVAILABLE or DEADLINE_EXCEEDED, and containerd never hears of the call.
cut, late: the same two, after containerd has done it. hang: containerd does it, and the caller gets no answer for a
time and UNAVAILABLE then. The proxy is a process of its own, which ends with its owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from tests.support.faults import Fault, Faults

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("delay", "fail", "deadline", "cut", "late", "hang")
_EXCHANGE = "Content/Write"
"""A request there waits for the reply to the one before: it gets none of the faults after the fact."""
_BYTES_MAX = 32 << 20
_OPTIONS = (
    ("grpc.max_receive_message_length", _BYTES_MAX),
    ("grpc.max_send_message_length", _BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.enable_http_proxy", 0),
)
_FOREVER_S = 1e6


class ContainerdFaults(Faults):
    """`address` is the proxy's own socket in `directory`."""

    def __init__(self, upstream: str, directory: Path) -> None:
        super().__init__(directory)
        self.address = str(directory / "c.sock")
        self._upstream = upstream
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when it accepts calls."""
        command = [sys.executable, "-m", "tests.support.faults_containerd", self._upstream, str(self.directory)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        deadline = time.monotonic() + 15
        while not _accepts(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the proxy before containerd did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it: every connection through it breaks. `start` brings it back."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
            Path(self.address).unlink(missing_ok=True)


class _Relay(grpc.GenericRpcHandler):  # type: ignore[misc] # gRPC has no types
    """Every call as a stream both ways, which is the same on the wire, and as bytes."""

    def __init__(self, upstream: str, faults: Faults) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{upstream}", options=_OPTIONS)
        self._faults = faults
        self._kept = set[asyncio.Task[None]]()

    def service(self, details: Any) -> Any:
        """As gRPC asks for the handler of a call."""
        return grpc.stream_stream_rpc_method_handler(partial(self._relay, details.method))

    async def _relay(self, method: str, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        fault = self._faults.next(method)
        if fault is not None:
            await self._inject(fault, method, requests, context)
        try:
            async for reply in self._call(method, requests, context):
                yield reply
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")

    async def _inject(self, fault: Fault, method: str, requests: AsyncIterator[bytes], context: Any) -> None:
        """Returns if the call is to be done all the same."""
        unavailable, deadline = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED
        kind = "fail" if fault.kind in {"cut", "late", "hang"} and method.endswith(_EXCHANGE) else fault.kind
        match kind:
            case "delay":
                await asyncio.sleep(fault.seconds)
            case "fail":
                await context.abort(unavailable, "injected: before the call")
            case "deadline":
                await context.abort(deadline, "injected: before the call")
            case "cut":
                await self._done(method, requests, context)
                await context.abort(unavailable, "injected: after the call")
            case "late":
                await self._done(method, requests, context)
                await context.abort(deadline, "injected: after the call")
            case "hang":
                sent = [request async for request in requests]
                work = asyncio.create_task(self._done(method, _again(sent), context))
                self._kept.add(work)
                work.add_done_callback(self._kept.discard)
                await asyncio.sleep(fault.seconds)
                await context.abort(unavailable, "injected: no answer")
            case _:
                raise ValueError(f"no such fault: {kind}")

    async def _done(self, method: str, requests: AsyncIterator[bytes], context: Any) -> None:
        try:
            async for _ in self._call(method, requests, context):
                pass
        except grpc.aio.AioRpcError:
            pass  # the caller gets the injected error

    async def _call(self, method: str, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """gRPC's own reader of `requests` would wait for ever where containerd goes before it has the call."""
        metadata = [(key, value) for key, value in context.invocation_metadata() if key.startswith("containerd-")]
        left_s = context.time_remaining()
        timeout_s = left_s if left_s is not None and left_s < _FOREVER_S else None
        call = self._channel.stream_stream(method)(timeout=timeout_s, metadata=metadata)
        feeding = asyncio.create_task(_feed(call, requests))
        try:
            async for reply in call:
                yield reply
        finally:
            feeding.cancel()
            call.cancel()


async def _feed(call: Any, requests: AsyncIterator[bytes]) -> None:
    """Errors are left to the reader of the replies, who gets them too."""
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        async for request in requests:
            await call.write(request)
        await call.done_writing()


async def _again(requests: list[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


def _accepts(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True


async def serve(upstream: str, directory: Path) -> None:
    """Until standard input ends."""
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers([_Relay(upstream, Faults(directory))])
    server.add_insecure_port(f"unix:{directory}/c.sock")
    await server.start()
    await asyncio.to_thread(sys.stdin.buffer.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
