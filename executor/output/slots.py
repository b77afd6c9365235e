"""Counters of the open streams in memory that the executor and its log writer share: one slot a stream.

The writer counts at every step, so the executor knows at any moment, also after the writer was killed, what was read
and not written. Each cell has one writer at a time: the log writer while it lives, else the executor.
"""

from __future__ import annotations

import mmap
import os

SLOTS = 8192
"""How many streams can be open at the same time."""
READ, WRITTEN, DROPPED, ROTATED, ERRNO = range(5)
"""Bytes, but for ERRNO: why output is dropped now; 0: it is not."""
_CELLS = 8
_CELL_BYTES = 8


class Slots:
    """Raises OSError where the memory cannot be mapped."""

    def __init__(self, file: int) -> None:
        self._map = mmap.mmap(file, SLOTS * _CELLS * _CELL_BYTES)
        self._cells = memoryview(self._map).cast("Q")

    def get(self, slot: int, cell: int) -> int:
        """The value of a cell: bytes, or an error number."""
        return int(self._cells[slot * _CELLS + cell])

    def set(self, slot: int, cell: int, value: int) -> None:
        """Replace the value of a cell."""
        self._cells[slot * _CELLS + cell] = value

    def add(self, slot: int, cell: int, count: int) -> None:
        """Add to a cell. Not atomic: a cell has one writer."""
        self._cells[slot * _CELLS + cell] += count

    def clear(self, slot: int) -> None:
        """Make every cell of a slot 0, for the next stream."""
        for cell in range(_CELLS):
            self.set(slot, cell, 0)

    def close(self) -> None:
        """Unmap the memory."""
        self._cells.release()
        self._map.close()


def memory() -> int:
    """A file descriptor of fresh memory for `Slots`. Raises OSError."""
    file = os.memfd_create("mpe-log-slots", os.MFD_CLOEXEC)
    os.ftruncate(file, SLOTS * _CELLS * _CELL_BYTES)
    return file
