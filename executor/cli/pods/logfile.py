"""One stream's log file, read while it is written and rotated: from a place, a time or a run, to a place or the end.

Places are counted from the first byte that the container ever wrote, so that no rotation shifts them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from executor.errors import NotFound, reason
from executor.output import cri, times
from executor.output.places import Reading, moved_bytes, older
from executor.own_directory import OwnDirectory

_BLOCK_BYTES: Final = 64 << 10
_LINE_BYTES: Final = 16 << 20
"""A line of pieces that is longer is cut."""


@dataclass(frozen=True)
class Part:
    """Which part of a log is meant; the whole of its newest file without any of these.

    `lines`: the last ones of it. `everything`: also the older files that rotation has kept. `since_s`, `until_s`:
    seconds since the epoch. `previous`: the run of the container before its present or last one.
    """

    lines: int | None = None
    everything: bool = False
    since_s: float | None = None
    until_s: float | None = None
    previous: bool = False


WHOLE: Final = Part()


class LogFile:
    """Read from where the last read ended; survives its rotation."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._directory = OwnDirectory.at(str(path.parent))
        self._file: BinaryIO | None = None
        self._at = self._moved_bytes = 0
        self._missed_bytes = 0
        self._rest = b""
        self._piece, self._piece_at = b"", 0
        self._is_cri = False
        self._end: int | None = None

    def begin(self, part: Part = WHOLE) -> Iterator[bytes]:
        """That part of it; nothing if there is no file. Raises NotFound for a previous run that is not there."""
        with Reading(self._directory, self._path.name):
            if not self._open() or self._file is None:
                return iter(())
            self._at = self._moved_bytes = moved_bytes(self._directory, self._path.name)
            self._is_cri = times.is_cri(self.times())
            newest = self._at, self._at + os.fstat(self._file.fileno()).st_size
            begin = self._bounds(part, *newest)
            if part.lines is not None:
                begin = self._place_of_last(part.lines, begin, newest[0])
            self._at = begin
        return self.more()

    def _bounds(self, part: Part, begin: int, end: int) -> int:
        """Where the part begins; where it ends is kept. `begin` and `end` are those of the newest file."""
        entries = self.times() if part != Part(part.lines, everything=part.everything) else []
        if part.everything or part.previous or part.since_s is not None:
            begin = 0  # what is gone of it is counted as missed
        if part.previous:
            runs = times.runs(entries)
            if len(runs) < 2:
                hint = "it has not been restarted, or that is too long ago: see `logs --all`"
                raise NotFound("has no earlier run in its log", subject=self._path.stem, hint=hint)
            begin, self._end = runs[-2:]
        if part.since_s is not None:
            found = times.since(entries, part.since_s)
            begin = end if found is None else max(begin, found)
        if part.until_s is not None:
            found = times.until(entries, part.until_s)
            self._end = found if self._end is None or (found is not None and found < self._end) else self._end
        return begin

    def _place_of_last(self, lines: int, begin: int, newest: int) -> int:
        """Where the last lines of the part from `begin` on begin; `newest` is where the newest file begins."""
        if self._file is not None and begin >= newest and self._end is None and not self._is_cri:
            return max(begin, newest + _offset_of_last(self._file, lines))
        places: deque[int] = deque(maxlen=lines)
        self._at = begin
        places.extend(place for place, _ in self.lines(self._blocks(), last=True))
        self._missed_bytes = 0  # it is read once more
        return places[0] if places else self._at

    def times(self) -> list[times.Entry]:
        """When what is in it was written, as far as that is known."""
        return times.read(self._directory, self._path.name)

    def more(self) -> Iterator[bytes]:
        """What was written since."""
        if self._file is None:
            yield from self.begin()
        else:
            yield from self._blocks()

    def lines(self, blocks: Iterator[bytes], *, last: bool) -> Iterator[tuple[int, bytes]]:
        """The lines of the blocks, each with its place; what has no end yet is kept for the next time, unless this is
        the last. Entries of cri.py are the lines that the container wrote.
        """
        if not self._is_cri:
            yield from self._lines(blocks, last=last)
            return
        for place, entry in self._lines(blocks, last=last):
            self._piece_at = self._piece_at if self._piece else place
            self._piece += cri.content(entry)
            if self._piece.endswith(b"\n") or len(self._piece) > _LINE_BYTES:
                yield self._piece_at, self._piece.removesuffix(b"\n")
                self._piece = b""
        if last and self._piece:
            yield self._piece_at, self._piece
            self._piece = b""

    def text(self, blocks: Iterator[bytes], *, last: bool) -> Iterator[bytes]:
        """What the container wrote, of the blocks."""
        if not self._is_cri:
            yield from blocks
            return
        for _, entry in self._lines(blocks, last=last):
            yield cri.content(entry)

    def _lines(self, blocks: Iterator[bytes], *, last: bool) -> Iterator[tuple[int, bytes]]:
        for block in blocks:
            place = self._at - len(block) - len(self._rest)
            *whole, self._rest = (self._rest + block).split(b"\n")
            for line in whole:
                yield place, line
                place += len(line) + 1
        if last and self._rest:
            yield self._at - len(self._rest), self._rest
            self._rest = b""

    def missed(self) -> int:
        """Bytes that were rotated away before they were read, since this was last asked."""
        missed_bytes, self._missed_bytes = self._missed_bytes, 0
        return missed_bytes

    def close(self) -> None:
        """The file; a second call does nothing."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _open(self) -> bool:
        """Whether there is a file. Raises NotFound if it cannot be read."""
        try:
            file = self._opened(self._path.name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise NotFound(f"cannot be read: {reason(error)}", subject=str(self._path), hint="run as root") from error
        self.close()
        self._file = file
        return True

    def _opened(self, name: str) -> BinaryIO:
        """Raises OSError."""
        return open(self._directory.open_file(name, os.O_RDONLY), "rb", buffering=0)  # noqa: PTH123  a descriptor

    def _renamed(self) -> bool:
        """Whether another file has its name now."""
        try:
            with self._opened(self._path.name) as now:
                return self._file is not None and not os.path.sameopenfile(now.fileno(), self._file.fileno())
        except OSError:
            return False

    def _blocks(self) -> Iterator[bytes]:
        """Blocks that end at a line's end where one is in sight."""
        while (self._end is None or self._at < self._end) and (block := self._read()):
            if self._end is not None:
                block = block[: self._end - self._at]
            self._at += len(block)
            if block:
                yield block

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        with Reading(self._directory, self._path.name):
            moved = moved_bytes(self._directory, self._path.name)
            if self._at < moved and (block := self._read_older(moved)):
                return block
            self._skip_to(moved)
            if moved != self._moved_bytes or self._renamed():
                if moved == self._moved_bytes and (block := _block(self._file, self._at - moved)):
                    return block  # not our rotation: the rest of what another program has moved
                self._at = moved
                if not self._open():
                    return b""
            self._moved_bytes = moved
            if self._at > moved + os.fstat(self._file.fileno()).st_size:  # another process has emptied it
                self._at = moved
            return _block(self._file, self._at - moved)

    def _read_older(self, end: int) -> bytes:
        """From the older file that holds this place, or the next one; `end` is where the latest of them ends."""
        pieces = []
        for name, size_bytes in self._older():
            pieces.append((end - size_bytes, end, name))
            end -= size_bytes
        for begin, beyond, name in reversed(pieces):
            if self._at < beyond:
                self._skip_to(begin)
                with self._opened(name) as file:
                    return _block(file, self._at - begin)
        return b""

    def _skip_to(self, place: int) -> None:
        if self._at < place:
            self._missed_bytes += place - self._at
            self._at = place

    def _older(self) -> Iterator[tuple[str, int]]:
        """The names of the files that rotation has kept, the latest first, with their sizes."""
        for number in count(1):
            name = older(self._path.name, number)
            try:
                with self._opened(name) as file:
                    size_bytes = os.fstat(file.fileno()).st_size
            except FileNotFoundError:
                return
            yield name, size_bytes


def _block(file: BinaryIO, offset: int) -> bytes:
    """From there on; it ends with the last line that ends in it, if there is one."""
    block = os.pread(file.fileno(), _BLOCK_BYTES, offset)
    return block[: block.rfind(b"\n") + 1] or block


def _offset_of_last(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin, searched from the end."""
    position = file.seek(0, os.SEEK_END)
    missing = lines + 1  # the newline before the first of them
    last = True
    while position > 0 and lines:
        size = min(_BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        if last and not block.endswith(b"\n"):
            missing -= 1
        last = False
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
            if missing == 0:
                return position + at + 1
    return position
