"""The helper of a pull as the executor holds it: started, given its request, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from executor import helper_process
from executor.errors import ExecutorError, Failure, reason
from executor.images.pulling import wire
from executor.images.pulling.wire import Progress, Request

_END_S: Final = 1.0
_LINE_MAX: Final = wire.EVENT.size_bytes


async def run(request: Request, seen: Callable[[Progress], None]) -> Progress:
    """One pull in a process of its own, which ends with this call, and with the executor, however that ends.

    Raises the failure that the helper reports (PullFailure, ImageFailure, ContainerdUnavailable, Failure), and Failure
    for a helper that cannot be started or dies.
    """
    process = await _start(request.name)
    try:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 # they are pipes
        process.stdin.write(wire.encode_request(request) + b"\n")  # and stays open: its end is the executor's
        last = await _listen(process.stdout, seen)
        code = await process.wait()
    finally:
        await asyncio.shield(_end(process))
    if isinstance(last, ExecutorError):
        raise last
    if last is None or last.phase != "done":
        raise Failure(f"the helper of its pull ended with {code}", subject=f"image {request.name}")
    return last


async def _start(name: str) -> asyncio.subprocess.Process:
    try:
        return await helper_process.start("executor.images.pulling.worker", _LINE_MAX)
    except OSError as error:
        message = f"the helper of its pull cannot be started: {reason(error)}"
        raise Failure(message, subject=f"image {name}") from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """The end of its input asks it to end, so that it can end what it has started."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _listen(output: asyncio.StreamReader, seen: Callable[[Progress], None]) -> Progress | ExecutorError | None:
    """The last event that it sends."""
    last: Progress | ExecutorError | None = None
    while True:
        try:
            line = await output.readline()
            if not line:
                return last
            last = wire.decode_event(line)
        except ValueError as error:
            return Failure(f"the helper of a pull sent a line that is not understood: {error}")
        if isinstance(last, Progress):
            seen(last)
