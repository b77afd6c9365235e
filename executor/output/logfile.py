"""One log on the disk: appended to within its exact size, rotated by renaming.

`name` never passes `max_bytes`, at any pace: before a piece that does not fit it becomes `name.1`, and a new
file takes its name. Cuts are made at a line's end where one is in sight. With `files` older ones the log's size is at
most max_bytes * (files + 1).

With a `stream` what was written becomes entries of cri.py. Then a file ends with a whole entry, and so does a run: a
line whose end has not come is ended.

Where the disk refuses, output is lost. What is written after such a hole begins with a whole line if one begins within
the present data, and on a line of its own.
"""

from __future__ import annotations

import os
import time

from executor.output import cri
from executor.output.places import Moving, moved, moved_bytes, older
from executor.output.times import Times
from executor.own_directory import OwnDirectory, open_file

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT
_NO_FILE = -1
NEWLINE = 0x0A

TYPE_CHECKING = False  # typing's own would cost a megabyte
if TYPE_CHECKING:
    from collections.abc import Iterator


class LogFile:
    """`written_bytes` and `skipped_bytes` count of the data of the last `append`, also of one that failed;
    `rotated_bytes` counts what went to older files since the beginning. `stream` is the container's, for entries of
    cri.py; empty: the log has what was written.
    """

    def __init__(self, directory: OwnDirectory, name: str, max_bytes: int, files: int, *, stream: str = "") -> None:
        self._directory, self._name = directory, name
        self.written_bytes = self.skipped_bytes = self.rotated_bytes = 0
        self._hole = self._cut = False
        """Whether something before the next append is lost, and ended within a line."""
        self._max_bytes, self._files = max_bytes, files
        self._file = _NO_FILE
        self._size_bytes = self._moved_bytes = 0
        self._within_line = False
        self._stream, self._within_entries = stream, False
        """Whether the last entry is a piece of a line."""
        self._entry_bytes = min(cri.CONTENT_BYTES, max(1, (max_bytes or cri.CONTENT_BYTES * 2) - cri.HEAD_BYTES))
        self._times = Times(directory, name, cri=bool(stream))

    def open(self) -> None:
        """The file exists then, and is ours to append to. Raises OSError, also where its directory was replaced."""
        if self._file != _NO_FILE:
            status = os.fstat(self._file)
            if status.st_nlink:
                self._size_bytes = status.st_size  # it may have been emptied
                return
            self.close()
        with self._directory.opened() as directory:
            self._open_in(directory)

    def _open_in(self, directory: int) -> None:
        self._file = open_file(directory, self._name, _FLAGS)
        self._size_bytes = os.fstat(self._file).st_size
        self._within_line = bool(self._size_bytes) and os.pread(self._file, 1, self._size_bytes - 1) != b"\n"
        if self._stream and self._size_bytes:
            self._within_entries = self._ends_with_piece()
        self._moved_bytes = moved_bytes(self._directory, self._name)
        if self._max_bytes:
            _touch(directory, moved(self._name))  # for readers to lock

    def _ends_with_piece(self) -> bool:
        """Whether the file, which has bytes, ends within a line."""
        most_bytes = cri.CONTENT_BYTES + cri.HEAD_BYTES
        end = os.pread(self._file, most_bytes, max(0, self._size_bytes - most_bytes))
        return cri.is_piece(end.removesuffix(b"\n").rpartition(b"\n")[2])

    def begin_run(self) -> None:
        """What comes next is of another run of the container. The file is open."""
        self.end_line()
        self._times.note(self._place, run=True)

    def end_line(self) -> None:
        """What comes next begins with a line of its own, where the log has entries. Raises OSError."""
        if self._within_entries:
            self.open()
            end = bytearray(cri.line_end(self._stream, time.time_ns()))
            for _ in self._pieces(end, 0, len(end)):
                self._within_entries = False

    @property
    def _place(self) -> int:
        """The place of the next byte, as places.py counts."""
        return self._moved_bytes + self._size_bytes

    def append(self, data: bytearray, size_bytes: int) -> None:
        """The first `size_bytes` of `data`. Raises OSError, after a part of it perhaps."""
        self.written_bytes = self.skipped_bytes = 0
        self.open()
        if self._hole:
            self.skipped_bytes = data.find(b"\n", 0, size_bytes) + 1 if self._cut else 0
            self._cut = False
            if self.skipped_bytes == size_bytes:
                return
            self._end_line()
            self.end_line()
            self._hole = False
        self._times.note(self._place)
        if self._stream:
            self._append_entries(data, size_bytes)
            return
        for count in self._pieces(data, self.skipped_bytes, size_bytes):
            self.written_bytes += count

    def _append_entries(self, data: bytearray, size_bytes: int) -> None:
        begin, written_bytes = self.skipped_bytes, 0
        entries = cri.encode(data, begin, size_bytes, self._stream, time.time_ns(), most_bytes=self._entry_bytes)
        try:
            for count in self._pieces(entries.data, 0, len(entries.data)):
                written_bytes += count
        finally:
            end, within_entries = entries.whole(written_bytes)
            self.written_bytes = max(0, end - begin)
            self._within_entries = within_entries if end else self._within_entries

    def _pieces(self, data: bytearray, at: int, end: int) -> Iterator[int]:
        """Write `data[at:end]`: the size of each piece, once it is written. Raises OSError."""
        with memoryview(data) as view:
            while at < end:
                if piece_end := self._fitting(data, at, end):
                    count = os.write(self._file, view[at:piece_end])
                    at += count
                    self._size_bytes += count
                    self._within_line = data[at - 1] != NEWLINE
                    yield count
                else:
                    self._rotate()

    def lose(self, data: bytearray, size_bytes: int) -> None:
        """The first `size_bytes` of `data` come next, and are not written, at least not to their end."""
        self._hole, self._cut = True, data[size_bytes - 1] != NEWLINE

    def close(self) -> None:
        """Idempotent; the next output opens it again."""
        if self._file != _NO_FILE:
            os.close(self._file)
        self._file = _NO_FILE

    def _end_line(self) -> None:
        if self._within_line:
            if self._room_bytes():
                self._size_bytes += os.write(self._file, b"\n")
            self._within_line = False

    def _room_bytes(self) -> int:
        return max(0, self._max_bytes - self._size_bytes) if self._max_bytes else 1 << 62

    def _fitting(self, data: bytearray, begin: int, end: int) -> int:
        """Where the piece of data[begin:end] ends that this file still takes; 0: it is full."""
        return fitting(data, begin, end, self._room_bytes(), fresh=not self._size_bytes, within_line=self._within_line)

    def _rotate(self) -> None:
        with self._directory.opened() as directory, Moving(directory, self._name) as moving:
            moving.count(self._size_bytes)  # first: on a full disk it fails, and every file keeps its name
            self._shift(directory)
            self.rotated_bytes += self._size_bytes
            self.close()
            self._open_in(directory)

    def _shift(self, directory: int) -> None:
        """Every file gets the next one's name; the oldest goes."""
        for number in range(self._files, 1, -1):
            _rename(directory, older(self._name, number - 1), older(self._name, number))
        if self._files:
            _rename(directory, self._name, older(self._name, 1))
        else:
            os.unlink(self._name, dir_fd=directory)


def fitting(data: bytearray, begin: int, end: int, room_bytes: int, *, fresh: bool, within_line: bool) -> int:
    """Where the piece of data[begin:end] ends that goes into a file with `room_bytes` left; 0: none does. Pure.

    At a line's end if the data has one there; a line is cut only if it began in this file, or is longer than a file.
    """
    if end - begin <= room_bytes:
        return end
    if not room_bytes:
        return 0
    line_end = data.rfind(b"\n", begin, begin + room_bytes) + 1
    if line_end:
        return line_end
    return begin + room_bytes if fresh or within_line else 0


def _touch(directory: int, name: str) -> None:
    """Without it readers may miss a rotation that comes while they open the log, and no more."""
    try:
        os.close(open_file(directory, name, _FLAGS))
    except OSError:
        return


def _rename(directory: int, source: str, target: str) -> None:
    try:
        os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
    except FileNotFoundError:
        return
