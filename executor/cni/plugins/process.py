"""One run of one executable: input in, bounded output out, nothing left running at the time limit.

A cancelled caller lets the executable finish, for up to 2 s: a host-local that is killed between making the file of an
address and writing its owner into it leaves an address that is never released.

asyncio's own Process is not used: its `wait` waits for the pipes too, which a daemon that the executable leaves
behind may hold open. Invariants: a minimal environment and no inherited descriptor; no preexec_fn, user= or group=,
which would fork a process that has gRPC's threads instead of using vfork; the executable leads a process group of its
own.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from executor.concurrency import to_the_end

STDOUT_MAX_BYTES = 1 << 20
STDERR_MAX_BYTES = 4096
_REAP_S = 5.0  # a SIGKILLed process that is still there sits in the kernel
_DRAIN_S = 0.5
_FINISH_S = 2.0
"""After a cancellation. An ADD takes some 20 ms, several times that on a busy node."""


@dataclass(frozen=True)
class Finished:
    """`returncode` is negative for a signal, None if the time limit ended it. `stdout` is one byte above its bound if
    there was more.
    """

    returncode: int | None
    stdout: bytes = b""
    stderr: bytes = b""


class _Conversation(asyncio.SubprocessProtocol):
    def __init__(self, stdout_max_bytes: int) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()
        self.output = {1: bytearray(), 2: bytearray()}
        self._limits = {1: stdout_max_bytes, 2: STDERR_MAX_BYTES}
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Reads on past the bound, so that the executable is not blocked, and keeps one byte above it."""
        kept = self.output[fd]
        kept += data[: max(0, self._limits[fd] + 1 - len(kept))]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio passes it
        self._open.discard(fd)
        if not self._open and not self.silent.done():
            self.silent.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


async def execute(
    command: Sequence[str | Path],
    environment: dict[str, str],
    stdin: bytes,
    timeout_s: float,
    *,
    stdout_max_bytes: int = STDOUT_MAX_BYTES,
) -> Finished:
    """Raises OSError if `command` cannot be executed."""
    run = asyncio.ensure_future(_execute(command, environment, stdin, timeout_s, stdout_max_bytes))
    try:
        return await asyncio.shield(run)
    except asyncio.CancelledError:
        await to_the_end(_finish(run))
        raise


async def _finish(run: asyncio.Task[Finished]) -> None:
    """The caller was cancelled: the run gets 2 s to end, and is then killed."""
    await asyncio.wait({run}, timeout=_FINISH_S)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def _execute(
    command: Sequence[str | Path], environment: dict[str, str], stdin: bytes, timeout_s: float, stdout_max_bytes: int
) -> Finished:
    pipe = asyncio.subprocess.PIPE
    transport, conversation = await asyncio.get_running_loop().subprocess_exec(
        lambda: _Conversation(stdout_max_bytes),
        *command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    try:
        _send(transport, stdin)
        await asyncio.wait({conversation.exited}, timeout=timeout_s)
        if conversation.exited.done():
            await asyncio.wait({conversation.silent}, timeout=_DRAIN_S)
    finally:
        returncode = transport.get_returncode()
        await _end(transport, conversation)
    stdout, stderr = (bytes(conversation.output[fd]) for fd in (1, 2))
    return Finished(returncode, stdout, stderr[:STDERR_MAX_BYTES])


def _send(transport: asyncio.SubprocessTransport, stdin: bytes) -> None:
    """Not waited for: an executable may decide without reading its input."""
    writer = transport.get_pipe_transport(0)
    assert isinstance(writer, asyncio.WriteTransport)  # noqa: S101 - it is a pipe
    writer.write(stdin)
    writer.close()


async def _end(transport: asyncio.SubprocessTransport, conversation: _Conversation) -> None:
    """Kills the process group unless its leader ended by itself: what it left behind then is meant to stay."""
    returncode = transport.get_returncode()
    if returncode is None or returncode < 0:
        with suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    if returncode is None:
        await asyncio.wait({conversation.exited}, timeout=_REAP_S)
    transport.close()
