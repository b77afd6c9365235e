"""The helper that fetches the files of one container, as the executor holds it: started, given its request, ended.

It is a process of its own because archives are foreign: their libraries run in it, within a bound of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executor.errors import Failure, reason

LIMIT_S: Final = 3600.0
"""For all files of a container."""
LIMIT_BYTES: Final = 10 << 30
"""For all files of a container whose task has no disk resource."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = "import sys; sys.path[:0] = {paths!r}; from executor.fetching.worker import main; main()"
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_NICE: Final = 5
_ANSWER_MAX_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class Item:
    """`value` is its URL; `file` a descriptor of a file of the node, in its place."""

    value: str
    name: str
    executable: bool = False
    extract: bool = True
    file: int | None = None


@dataclass(frozen=True)
class Proxies:
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: tuple[str, ...] = field(default=())


async def fetch(
    items: Sequence[Item],
    directory: int,
    limit_bytes: int,
    proxies: Proxies,
    *,
    guarded: bool,
    limit_s: float = LIMIT_S,
) -> None:
    """All of them into the open `directory`, one after the other, in a process that ends with this call, and with the
    executor. `guarded`: it connects to no loopback and no link-local address. Raises Failure.
    """
    documents = [{**vars(each), **vars(proxies)} for each in items]
    request = {
        "directory": directory,
        "limit_bytes": limit_bytes or LIMIT_BYTES,
        "items": documents,
        "guarded": guarded,
    }
    process = await _start([directory, *(each.file for each in items if each.file is not None)])
    try:
        async with asyncio.timeout(limit_s):
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 # they are pipes
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died
                process.stdin.write(json.dumps(request).encode() + b"\n")  # and stays open: its end is the executor's
                await process.stdin.drain()
            answer = await process.stdout.readline()
    except TimeoutError as error:
        raise Failure(f"were not fetched within {limit_s:g} s", subject="uris") from error
    except ValueError as error:
        raise Failure("their helper sent a line that is too long", subject="uris") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())
    _judge(answer)


def _judge(answer: bytes) -> None:
    if not answer:
        raise Failure("their helper ended before they were fetched", subject="uris")
    try:
        told = {key: str(value) for key, value in json.loads(answer).items()}
    except (ValueError, AttributeError) as error:
        raise Failure("their helper sent a line that is not understood", subject="uris") from error
    if told["message"]:
        raise Failure(told["message"], subject=told["subject"], hint=told["hint"])


async def _start(inherited: Sequence[int]) -> asyncio.subprocess.Process:
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
            limit=_ANSWER_MAX_BYTES,
            start_new_session=True,
            pass_fds=inherited,
        )
    except OSError as error:
        raise Failure(f"their helper cannot be started: {reason(error)}", subject="uris") from error
