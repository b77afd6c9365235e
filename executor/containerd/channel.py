"""One gRPC channel to containerd, bound to one containerd namespace: the only module that knows gRPC.

Invariants: every unary call has a deadline unless `timeout_s=None` is asked for (waiting for an exit), and so has every
step of an exchange; every error that leaves here is one of executor.errors; a call whose channel is closed under it
ends in ContainerdUnavailable, never in a bare CancelledError, which would end a task group in silence.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

# Before gRPC is loaded: its fork handlers make children die between fork and exec, and its log goes to our stderr.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio
from google.protobuf.message import Message

from executor.containerd.errors import closed, translate
from executor.containerd.types import LeaseId
from executor.errors import ContainerdFailure, ContainerdUnavailable

QUICK_S = 15.0
"""Deadline of a call that only touches containerd's database."""
SLOW_S = 120.0
"""Deadline of a call that starts processes or waits for a shim."""

_SOCKET_PATH_MAX_BYTES = 107  # unix(7): sun_path is 108 bytes with its final zero
_MESSAGE_MAX_BYTES = 16 << 20  # containerd's own limit (defaults.DefaultMaxRecvMsgSize); gRPC's 4 MiB is too small
_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_MAX_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_MAX_BYTES),
    # A restarted containerd is found again within half a second, not gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 3000),  # in spite of its name: how long one attempt to connect may take
    ("grpc.enable_http_proxy", 0),
)

Reply = TypeVar("Reply", bound=Message)


class Channel:
    """`address` is a path or a `unix://` URL. Must be made and closed in a running event loop."""

    def __init__(self, address: str, namespace: str) -> None:
        self.socket = address.removeprefix("unix://")
        self.namespace = namespace
        self.closed = False
        if len(os.fsencode(self.socket)) > _SOCKET_PATH_MAX_BYTES:
            message = f"the socket's path is longer than {_SOCKET_PATH_MAX_BYTES} bytes"
            raise ContainerdFailure(message, subject=self.socket, hint="use a shorter path or a symbolic link")
        self._channel = grpc.aio.insecure_channel(f"unix:{self.socket}", options=_OPTIONS)

    async def close(self) -> None:
        """End the calls that are under way and the connection. Idempotent."""
        self.closed = True
        await self._channel.close()

    async def call(
        self,
        method: str,
        request: Message,
        reply: type[Reply],
        *,
        subject: str,
        timeout_s: float | None = QUICK_S,
        lease: LeaseId | None = None,
    ) -> Reply:
        """One request, one reply. `method` is as in `tasks.v1.Tasks/Get`; `subject` names the object in errors."""
        with self.translated(method, subject):
            rpc = self._channel.unary_unary(_path(method), _serialize, reply.FromString)
            answer: Reply = await rpc(request, timeout=timeout_s, metadata=self._metadata(lease))
            return answer

    async def stream(
        self, method: str, request: Message, reply: type[Reply], *, subject: str, timeout_s: float | None = QUICK_S
    ) -> AsyncGenerator[Reply, None]:
        """One request, many replies; the call is cancelled when the iterator is closed."""
        with self.translated(method, subject):
            rpc = self._channel.unary_stream(_path(method), _serialize, reply.FromString)
            call = rpc(request, timeout=timeout_s, metadata=self._metadata(None))
            try:
                async for message in call:
                    yield message
            finally:
                call.cancel()

    @asynccontextmanager
    async def exchange(
        self, method: str, reply: type[Reply], *, subject: str, step_s: float, lease: LeaseId | None = None
    ) -> AsyncIterator[Callable[[Message], Awaitable[Reply]]]:
        """A call of many requests with one reply to each: gives a function that sends one and returns its reply, which
        may take `step_s`. The call as a whole has no deadline.
        """
        with self.translated(method, subject):
            rpc = self._channel.stream_stream(_path(method), _serialize, reply.FromString)
            call = rpc(metadata=self._metadata(lease))

            async def ask(request: Message) -> Reply:
                try:
                    async with asyncio.timeout(step_s):
                        await call.write(request)
                        answer: Reply = await call.read()
                except TimeoutError as error:
                    message = f"{method}: containerd did not answer in {step_s:g} s"
                    raise ContainerdUnavailable(message, subject=subject) from error
                if answer is grpc.aio.EOF:
                    raise ContainerdFailure(f"{method}: containerd ended the exchange early", subject=subject)
                return answer

            try:
                yield ask
            finally:
                call.cancel()

    @contextmanager
    def translated(self, method: str, subject: str) -> Iterator[None]:
        """Errors of gRPC that leave the block are the executor's; `subject` names the object."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            text = error.details() or ""
            raise translate(error.code().name, text, method=method, subject=subject, socket=self.socket) from error
        except asyncio.CancelledError as error:
            if _being_cancelled():
                raise
            raise closed(method, subject=subject, socket=self.socket) from error
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise closed(method, subject=subject, socket=self.socket) from error

    def _metadata(self, lease: LeaseId | None) -> tuple[tuple[str, str], ...]:
        namespace = (("containerd-namespace", self.namespace),)
        return (*namespace, ("containerd-lease", lease)) if lease else namespace


def _path(method: str) -> str:
    return f"/containerd.services.{method}"


def _serialize(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _being_cancelled() -> bool:
    """Whether the end of the current task was asked for; if not, a CancelledError is gRPC's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
