"""The output of all containers of this executor: FIFOs for the shims, and the log writer that reads them.

    open ─▶ FIFOs, their reading ends held here and by the writer ─▶ the shim opens them ─▶ their names go
    the container ends, the shim closes its ends ─▶ everything is read and written ─▶ `written` returns

The shim holds a FIFO by both ends, and this process its reading end, so when the log writer ends no container
is sent SIGPIPE and nothing in a FIFO is lost: a new writer goes on with it. A writer that is stopped, or
stuck, is replaced. What the old one had read and not written is lost and counted (slots.py).

Owns: the writer's process, the FIFOs' directory, and a descriptor for each stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import struct
import termios
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from executor import exhausted
from executor.errors import Failure, reason
from executor.log import get_logger
from executor.output import slots
from executor.output.process import WriterProcess
from executor.output.slots import SLOTS, Slots
from executor.output.telling import Telling
from executor.output.wire import Close, Open
from executor.own_directory import OwnDirectory

if TYPE_CHECKING:
    from executor.names import ContainerId

log = get_logger(__name__)

_INT: Final = struct.Struct("i")
FIFO_BYTES: Final = 256 << 10
"""What a container can write while the log writer is being replaced."""
LOOK_S: Final = 1.0
STOPPED_LOOKS: Final = 2
STUCK_LOOKS: Final = 15
"""So many looks at output that is not read: the log writer is stopped, or stuck. One that only waits for a CPU, or for
the start of its program, is neither.
"""
YOUNG_S: Final = 1.0
"""A log writer that ended before this age is replaced after a pause."""


@dataclass
class Stream:
    container: ContainerId
    kind: str
    slot: int
    fifo: int
    directory: OwnDirectory
    name: str
    telling: Telling
    closing: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Outputs:
    """`directory` is for FIFOs, and on no disk that can be full; `max_bytes` and `files` bound each log (see
    logfile.py); `cri`: they have the format of cri.py.
    """

    def __init__(self, directory: Path, *, max_bytes: int, files: int, cri: bool = False) -> None:
        self.directory = directory
        """Also for the FIFOs of other processes of containers, which their maker removes."""
        self._max_bytes, self._files, self._cri = max_bytes, files, cri
        self._streams: dict[int, Stream] = {}
        self._free = iter(range(SLOTS))
        self._freed: list[int] = []
        self._writer: WriterProcess | None = None
        self._looks: asyncio.Task[None] | None = None
        self._idle_looks, self._read_bytes = 0, 0
        self._failing = False

    async def __aenter__(self) -> Self:
        """Raises Failure."""
        try:
            _make(self.directory)
            self._memory = slots.memory()
            self._slots = Slots(self._memory)
        except OSError as error:
            raise Failure(reason(error), subject=str(self.directory), hint="is [node] run_dir writable?") from error
        self._start()
        self._looks = asyncio.create_task(self._look_for_ever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looks is not None:
            self._looks.cancel()
        for stream in list(self._streams.values()):
            self._close(stream)
        if self._writer is not None and not await self._writer.end():
            log.warning("the log writer had to be killed", code="executor.log_writer_stuck", pid=self._writer.pid)
        for stream in list(self._streams.values()):
            self._ended(stream.slot)
        self._slots.close()
        os.close(self._memory)
        shutil.rmtree(self.directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # other executors have theirs beside it
            self.directory.parent.rmdir()

    # --- streams ---------------------------------------------------------------------------------------------

    @contextmanager
    def opened(
        self, container: ContainerId, directory: OwnDirectory, files: dict[str, str], logger: Any
    ) -> Iterator[dict[str, Path]]:
        """FIFOs for a container's streams, by name, which the shim must have opened when the block ends; their
        output goes to `files` in `directory`, and `logger` says what of it is lost. Raises Failure.
        """
        fifos = {stream: self.directory / f"{container}.{stream}" for stream in files}
        made: list[Stream] = []
        try:
            for stream, name in files.items():
                made.append(self._open(container, stream, directory, name, logger))
            yield fifos
        except BaseException:
            for each in made:
                self._close(each)
            raise
        finally:
            for fifo in fifos.values():
                fifo.unlink(missing_ok=True)

    def _open(self, container: ContainerId, kind: str, directory: OwnDirectory, name: str, logger: Any) -> Stream:
        fifo = self.directory / f"{container}.{kind}"
        slot = self._freed.pop() if self._freed else next(self._free, None)
        if slot is None:
            raise Failure(f"there are {SLOTS} already", subject="open streams of containers")
        try:
            _make(self.directory)  # it may have been removed
            fifo.unlink(missing_ok=True)
            os.mkfifo(fifo, 0o600)
            descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._freed.append(slot)
            raise Failure(f"cannot be made: {reason(error)}", subject=str(fifo), hint="see [node] run_dir") from error
        with contextlib.suppress(OSError):  # the default size does as well
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, FIFO_BYTES)
        self._slots.clear(slot)
        telling = Telling(logger, Path(directory.path, name))
        stream = self._streams[slot] = Stream(container, kind, slot, descriptor, directory, name, telling)
        self._say_open(stream, run=True)
        return stream

    def _say_open(self, stream: Stream, *, run: bool = False) -> None:
        entries_of = stream.kind if self._cri else ""
        message = Open(
            stream.slot, stream.directory, stream.name, self._max_bytes, self._files, run=run, stream=entries_of
        )
        if self._writer is not None:
            self._writer.say(message, stream.fifo)

    async def written(self, containers: Iterable[ContainerId], timeout_s: float) -> bool:
        """Wait until everything that these containers wrote is in their logs; whether that was within the time. For
        containers whose processes have ended.
        """
        wanted = set(containers)
        waiting = [stream.ended.wait() for stream in self._streams.values() if stream.container in wanted]
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*waiting)
        except TimeoutError:
            return False
        return True

    async def close(self, container: ContainerId, timeout_s: float) -> None:
        """What a container whose task is removed has left in its FIFOs is written, within the time."""
        for stream in list(self._streams.values()):
            if stream.container == container:
                self._close(stream)
        await self.written([container], timeout_s)

    def _close(self, stream: Stream) -> None:
        stream.closing = True
        if self._writer is not None:
            self._writer.say(Close(stream.slot))

    def _ended(self, slot: int) -> None:
        stream = self._streams.pop(slot, None)
        if stream is None:
            return
        self._count_lost(slot)  # a write that hangs still
        stream.telling.look(self._slots, slot, last=True)
        os.close(stream.fifo)
        self._freed.append(slot)
        stream.ended.set()

    # --- the log writer --------------------------------------------------------------------------------------

    def _start(self) -> None:
        try:
            self._writer = WriterProcess(self._memory, self._ended, self._died)
        except OSError as error:
            self._writer = None
            if not self._failing:
                log.error("the log writer cannot be started", code="executor.log_writer_failed", error=error)
            self._failing = True
            return
        self._failing = False
        self._idle_looks = 0
        for stream in self._streams.values():
            self._say_open(stream)
            if stream.closing:
                self._close(stream)

    def _died(self) -> None:
        self._replace("it has ended")

    def _replace(self, why: str) -> None:
        old, self._writer = self._writer, None
        if old is not None:
            old.kill()
        lost_bytes = sum(map(self._count_lost, self._streams))
        log.warning(
            "the log writer is replaced", code="executor.log_writer_replaced", reason=why, size_bytes=lost_bytes
        )
        if old is None or asyncio.get_running_loop().time() - old.began_s > YOUNG_S:
            self._start()  # else the next look does

    def _count_lost(self, slot: int) -> int:
        """What the dead writer had read, and neither written nor dropped."""
        lost_bytes = self._slots.get(slot, slots.READ) - self._slots.get(slot, slots.WRITTEN)
        lost_bytes -= self._slots.get(slot, slots.DROPPED)
        self._slots.add(slot, slots.DROPPED, lost_bytes)
        return lost_bytes

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._look()
            except Exception as error:  # the output of every container depends on it
                if exhausted.tell(log, error) is None:
                    log.exception("defect while looking after the log writer", code="executor.defect")

    def _look(self) -> None:
        for slot, stream in list(self._streams.items()):
            stream.telling.look(self._slots, slot)
        if self._writer is None:
            self._start()
        elif self._is_stuck():
            self._replace("it does not read what is there")

    def _is_stuck(self) -> bool:
        """No stream has been read since several looks, and there is something to read."""
        read_bytes = sum(self._slots.get(slot, slots.READ) for slot in self._streams)
        idle = read_bytes == self._read_bytes and self._is_waited_for()
        self._read_bytes = read_bytes
        self._idle_looks = self._idle_looks + 1 if idle else 0
        if self._idle_looks < STOPPED_LOOKS or self._writer is None:
            return False
        return self._idle_looks >= STUCK_LOOKS or self._writer.is_stopped

    def _is_waited_for(self) -> bool:
        return any(_unread_bytes(stream.fifo) for stream in self._streams.values())


def _make(directory: Path) -> None:
    """Again where another executor that ends has just removed the empty directory above it. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _unread_bytes(fifo: int) -> int:
    """What a FIFO holds. poll(2) would fail where the limit of open files is lower than the number of FIFOs."""
    (unread,) = _INT.unpack(fcntl.ioctl(fifo, termios.FIONREAD, _INT.pack(0)))
    return int(unread)
