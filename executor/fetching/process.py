"""The helper that fetches the files of one container, as the executor holds it: started, given its request, ended.

It is a process of its own because archives are foreign: their libraries run in it, within a bound of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from executor import helper_process
from executor.errors import Failure, reason

LIMIT_S: Final = 3600.0
"""For all files of a container."""
LIMIT_BYTES: Final = 10 << 30
"""For all files of a container whose task has no disk resource."""
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
        said = {key: str(value) for key, value in json.loads(answer).items()}
    except (ValueError, AttributeError) as error:
        raise Failure("their helper sent a line that is not understood", subject="uris") from error
    if said["message"]:
        raise Failure(said["message"], subject=said["subject"], hint=said["hint"])


async def _start(inherited: Sequence[int]) -> asyncio.subprocess.Process:
    try:
        return await helper_process.start("executor.fetching.worker", _ANSWER_MAX_BYTES, inherited)
    except OSError as error:
        raise Failure(f"their helper cannot be started: {reason(error)}", subject="uris") from error
