"""The helper of a pull as the executor holds it: started, given its request, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from executor.errors import ExecutorError, Failure, reason
from executor.images.pulling import wire
from executor.images.pulling.wire import Progress, Request

_ROOT: Final = Path(__file__).resolve().parents[3]
_PROGRAM: Final = "import sys; sys.path[:0] = {paths!r}; from executor.images.pulling.worker import main; main()"
_NICE: Final = 5
"""Within the executor's cgroup: the executor's event loop goes first."""
_END_S: Final = 1.0
_LINE_MAX: Final = wire.EVENT.size_bytes
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MALLOC_ARENA_MAX": "1"}


async def run(request: Request, seen: Callable[[Progress], None]) -> Progress:
    """One pull in a process of its own, which ends with this call, and with the executor, however that ends.

    Raises the failure that the helper reports (PullFailure, ImageFailure, ContainerdUnavailable, Failure), and Failure
    for a helper that cannot be started or dies.
    """
    process = await _start(request.name)
    try:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
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
    paths = [str(_ROOT), *(path for path in sys.path if path)]
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _PROGRAM.format(paths=paths),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,  # stderr is the executor's, for the traceback of a defect
            env=_ENVIRONMENT,
            limit=_LINE_MAX,
            start_new_session=True,
        )
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
