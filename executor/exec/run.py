"""Run one command in a container and wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.errors import TimedOut
from executor.exec.fifos import Fifos
from executor.exec.process import ContainerProcess, new_id, process_spec

if TYPE_CHECKING:
    from executor.containerd.tasks import Tasks
    from executor.exec.late import LateStarts
    from executor.names import ContainerId

OUTPUT_BYTES: Final = 4096
"""How much of the end of a command's output is kept."""
COPY_S: Final = 1.0
"""How long output is waited for after the command's end: a process that it left in the background may hold it open."""
END_S: Final = 3.0
"""How long the removal of the command's process may take."""


@dataclass(frozen=True)
class Target:
    """A container that runs. `first` is its first process as in the OCI document: further ones run as that one does.
    `streams_dir` is for FIFOs, and on no disk that can be full. `late_starts` is the same for all containers.
    """

    tasks: Tasks
    container: ContainerId
    first: Mapping[str, Any]
    streams_dir: Path
    late_starts: LateStarts


@dataclass(frozen=True)
class Result:
    """`exit_code` is 128 + the signal for a command that was killed. `output` is the end of what it wrote to stdout and
    stderr, in the order in which it was read.
    """

    exit_code: int
    output: str


class Tail:
    """The last `limit_bytes` of what it is given, so that a command that writes without end costs no memory."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Keep the end, in at most `limit_bytes`."""
        self._data += data
        del self._data[: max(0, len(self._data) - self._limit_bytes)]

    def text(self) -> str:
        """What is not UTF-8 is replaced."""
        return self._data.decode(errors="replace")


async def run(
    target: Target,
    argv: tuple[str, ...],
    *,
    timeout_s: float | None,
    purpose: str = "run",
    limit_bytes: int = OUTPUT_BYTES,
) -> Result:
    """Run `argv`, without a shell, and wait for its end. After `timeout_s`, which bounds its start too, and when the
    caller is cancelled, it gets SIGKILL; None: it may take any time. `purpose` is a word for its id in containerd, such
    as `probe`.

    Raises TimedOut (the message has the end of its output), ContainerdFailure where it cannot be started, and Failure.
    """
    identity = new_id(purpose)
    fifos = Fifos({name: target.streams_dir / f"{identity}.{name}" for name in ("stdout", "stderr")})
    process = ContainerProcess(target.tasks, target.container, identity, fifos, target.late_starts)
    tail = Tail(limit_bytes)
    try:
        fifos.make()
        fifos.read(tail.add)
        async with asyncio.timeout(timeout_s):
            await process.start(process_spec(target.first, argv))
            exit_code = await process.wait()
        await fifos.ended(COPY_S)
        return Result(exit_code, tail.text())
    except TimeoutError as error:
        written = f"; it wrote: {tail.text().strip()}" if tail.text().strip() else ""
        raise TimedOut(f"{argv[0]} took longer than {timeout_s:g} s{written}", subject=target.container) from error
    finally:
        await process.end(END_S)
