"""When the bytes of a log were written, and where each run of its container begins: `.<file>.times` beside the log.

The log itself has nothing but what the container wrote, or lines of cri.py. The index has an entry for each second in
which it wrote, and one for the beginning of each run: the time, and the place in the log, which is counted from the
first byte ever written (places.py). It is bounded: the older half of a full index gets one entry a minute, and then the
oldest ones go. The log writer writes it, so it imports little. Without an index, or beyond its beginning, no time is
known.
"""

from __future__ import annotations

import os
import struct
import time

from executor.own_directory import OwnDirectory, open_file

MOST = 4096
"""Entries, of 20 bytes each."""
FINE_S, COARSE_S = 1, 60
_RUN, _CRI = 1, 2
_ENTRY = struct.Struct("<QQHH")
_BLOCK_BYTES = MOST * 2 * _ENTRY.size


class Entry:
    """The bytes from `place` on were written at `at_s`, seconds since the epoch, or up to `span_s` later; `run`: they
    are the first ones of a run. `cri`: they are in the format of cri.py.
    """

    __slots__ = ("at_s", "cri", "place", "run", "span_s")

    def __init__(self, at_s: float, place: int, span_s: int = FINE_S, *, run: bool = False, cri: bool = False) -> None:
        self.at_s, self.place, self.span_s, self.run, self.cri = at_s, place, span_s, run, cri

    def packed(self) -> bytes:
        """For the file."""
        flags = (_RUN if self.run else 0) | (_CRI if self.cri else 0)
        return _ENTRY.pack(max(0, round(self.at_s * 1e3)), self.place, self.span_s, flags)


def index(name: str) -> str:
    """The name of the index of a log."""
    return f".{name}.times"


def unpacked(data: bytes) -> list[Entry]:
    """What `packed` made; the half of an entry at the end is left out."""
    whole = len(data) - len(data) % _ENTRY.size
    return [
        Entry(at_ms / 1e3, place, span_s, run=bool(flags & _RUN), cri=bool(flags & _CRI))
        for at_ms, place, span_s, flags in _ENTRY.iter_unpack(data[:whole])
    ]


def thinned(entries: list[Entry], most: int = MOST) -> list[Entry]:
    """At most three quarters of `most`: the older half with one entry a minute, and each run's; then the newest."""
    kept: list[Entry] = []
    for each in entries[: len(entries) // 2]:
        last = kept[-1] if kept else None
        distance_s = COARSE_S if last is None else each.at_s - last.at_s
        if last is None or each.run or not 0 <= distance_s + each.span_s <= COARSE_S:
            kept.append(each)
        else:
            span_s = max(last.span_s, round(distance_s + 0.5) + each.span_s)
            kept[-1] = Entry(last.at_s, last.place, span_s, run=last.run, cri=last.cri)
    return [*kept, *entries[len(entries) // 2 :]][-(most * 3 // 4) :]


class Times:
    """The writer's side. Nothing raises: without its index a log is as good as ever."""

    def __init__(self, directory: OwnDirectory, name: str, *, cri: bool = False) -> None:
        self._directory, self._name, self._cri = directory, index(name), cri
        self._noted_s = 0.0

    def note(self, place: int, *, run: bool = False) -> None:
        """What is written from `place` on is written now."""
        now_s = time.time()
        if not run and 0 <= now_s - self._noted_s < FINE_S:
            return
        self._noted_s = now_s
        try:
            with self._directory.opened() as directory:
                self._append(directory, Entry(now_s, place, run=run, cri=self._cri))
        except OSError:
            return

    def _append(self, directory: int, entry: Entry) -> None:
        file = open_file(directory, self._name, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            size_bytes = os.fstat(file).st_size
            if size_bytes % _ENTRY.size:  # a disk that was full took a part of one
                os.ftruncate(file, size_bytes - size_bytes % _ENTRY.size)
            if size_bytes >= MOST * _ENTRY.size:
                self._rewrite(directory, thinned(unpacked(os.pread(file, _BLOCK_BYTES, 0))), entry)
            else:
                os.write(file, entry.packed())
        finally:
            os.close(file)

    def _rewrite(self, directory: int, entries: list[Entry], entry: Entry) -> None:
        """In a new file, so that a reader has the old one or the new one."""
        name = f"{self._name}.new"
        file = open_file(directory, name, os.O_RDWR | os.O_CREAT)
        try:
            os.ftruncate(file, 0)
            os.write(file, b"".join(each.packed() for each in (*entries, entry)))
        finally:
            os.close(file)
        os.rename(name, self._name, src_dir_fd=directory, dst_dir_fd=directory)


def read(directory: OwnDirectory, name: str) -> list[Entry]:
    """The index of the log `name`, the oldest entry first; empty where there is none."""
    try:
        file = directory.open_file(index(name), os.O_RDONLY)
    except OSError:
        return []
    try:
        return unpacked(os.pread(file, _BLOCK_BYTES, 0))
    finally:
        os.close(file)


def since(entries: list[Entry], at_s: float) -> int | None:
    """The place from which on all bytes are that were written at this time or later; None: there is none. What was
    written just before may be among them.
    """
    if not entries or at_s < entries[0].at_s:
        return 0
    return next((each.place for each in entries if each.at_s + each.span_s > at_s), None)


def until(entries: list[Entry], at_s: float) -> int | None:
    """The place before which all bytes are that were written until the end of this second; None: all of them were."""
    return next((each.place for each in entries if int(each.at_s) > at_s), None)


def at(entries: list[Entry], place: int) -> float | None:
    """When the byte at this place was written, to the second; None: it is not known."""
    found = None
    for each in entries:
        if each.place > place:
            break
        found = each.at_s
    return found


def is_cri(entries: list[Entry]) -> bool:
    """Whether the log has the format of cri.py."""
    return any(each.cri for each in entries)


def runs(entries: list[Entry]) -> list[int]:
    """The places at which runs begin that are known, the oldest first."""
    return [each.place for each in entries if each.run]
