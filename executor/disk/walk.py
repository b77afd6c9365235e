"""Counts the blocks that a tree holds, as du does, while foreign programs change it.

Every file counts with its blocks of 512 bytes, a file with several names once. Work goes by descriptor, never through a
symbolic link and never across a mount. Two descriptors are open, and memory is bounded: each level costs two numbers
and a name, however many entries it has. `turn` does a bounded part.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executor import beneath
from executor.disk import descriptors
from executor.disk.listing import Lister
from executor.own_directory import Identity, OwnDirectory, identity

ENTRIES_A_TURN: Final = 2000
DEPTH_MAX: Final = 100_000
"""Levels that are counted; what lies deeper makes the count incomplete."""
LOST_MAX: Final = 1000
"""How often the directory that is being counted may be moved or removed; after that the count is incomplete."""
LINKS_MAX: Final = 100_000
"""Files with several names that are distinguished; of further ones each name counts with its part."""
BLOCK_BYTES: Final = 512
_SELF: Final = (b".", b"..")

Part = Callable[[str, int, bytes], str | None]
"""The part of an entry, by the part of its directory, its depth (0: in the root) and its name. None: it is not counted.
"""


@dataclass(slots=True)
class _Level:
    name: bytes
    identity: Identity
    part: str
    offset: int = 0
    """Where its listing goes on."""
    few: bool = False
    """Whether its last entry was a directory, so that the next one may be too."""


def one_part(part: str, _depth: int, _name: bytes) -> str:
    """Every entry belongs to the part of its directory."""
    return part


@dataclass
class Count:
    """`bytes` by part. `complete`: nothing was too deep to be counted, or moved too often."""

    bytes: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    cpu_s: float = 0.0
    complete: bool = True


class Walk:
    """The use of the directory `path`; `part` divides it. `turn` until it returns True, or `close`."""

    def __init__(self, path: Path | OwnDirectory, part: Part = one_part, *, depth_max: int = DEPTH_MAX) -> None:
        self.count = Count()
        self._depth_max = depth_max
        self._path, self._part = path, part
        self._root = self._fd = -1
        self._levels: list[_Level] = []
        self._links: set[Identity] = set()
        self._lister: Lister | None = None
        self._lost = 0
        self._done = False

    def turn(self) -> bool:
        """Count some ENTRIES_A_TURN entries; whether all are counted. Raises OSError for a failure of this process or
        of the disk; a root that is gone holds nothing.
        """
        begin = time.thread_time()
        try:
            if self._lister is None:
                self._begin()
            limit = self.count.entries + ENTRIES_A_TURN
            while self._levels and self.count.entries < limit:
                self._list(self._levels[-1])
            self._done = self._done or not self._levels
        finally:
            self.count.cpu_s += time.thread_time() - begin
        if self._done:
            self.close()
        return self._done

    def close(self) -> None:
        """Idempotent."""
        for fd in {self._root, self._fd} - {-1}:
            os.close(fd)
        self._root = self._fd = -1
        self._levels.clear()

    def _begin(self) -> None:
        self._lister = Lister()
        try:
            self._root = descriptors.open_root(self._path)
        except FileNotFoundError:
            self._done = True
            return
        self._fd = os.dup(self._root)
        found = os.fstat(self._root)
        self.count.bytes[""] += found.st_blocks * BLOCK_BYTES
        self._levels = [_Level(b"", (found.st_dev, found.st_ino), "")]

    def _list(self, level: _Level) -> None:
        """On with the listing, until a directory in it is entered or it is through."""
        assert self._lister is not None  # noqa: S101 said for the type checker
        through = True
        with contextlib.suppress(FileNotFoundError):  # the directory was removed meanwhile
            for entry in self._lister.entries(self._fd, level.offset, few=level.few):
                through, level.offset = False, entry.next_offset
                level.few = entry.name not in _SELF and self._take(level, entry.name, entry.may_be_directory)
                if level.few:
                    return
        if through:
            self._leave()

    def _take(self, level: _Level, name: bytes, may_be_directory: bool) -> bool:  # noqa: FBT001 of one entry
        """Count one entry; whether it was entered."""
        part = self._part(level.part, len(self._levels) - 1, name)
        if part is None:
            return False
        self.count.entries += 1
        try:
            found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except OSError:  # it was removed meanwhile
            return False
        self.count.bytes[part] += self._blocks(found) * BLOCK_BYTES
        return may_be_directory and stat.S_ISDIR(found.st_mode) and self._enter(name, part)

    def _blocks(self, found: os.stat_result) -> int:
        """A file with several names counts once, at the first one."""
        if found.st_nlink < 2 or stat.S_ISDIR(found.st_mode):
            return found.st_blocks
        link = (found.st_dev, found.st_ino)
        if link in self._links:
            return 0
        if len(self._links) >= LINKS_MAX:
            return found.st_blocks // found.st_nlink
        self._links.add(link)
        return found.st_blocks

    def _enter(self, name: bytes, part: str) -> bool:
        if len(self._levels) >= self._depth_max:
            self.count.complete = False
            return False
        try:
            fd = beneath.open_child(self._fd, name)
        except OSError:  # another mount, or not there any more
            return False
        self._levels.append(_Level(name, identity(fd), part))
        self._go(fd)
        return True

    def _leave(self) -> None:
        self._levels.pop()
        if not self._levels:
            return
        try:
            parent = descriptors.open_parent(self._fd, self._levels[-1].identity)
        except FileNotFoundError:  # the directory that is left was removed
            parent = None
        if parent is not None:
            self._go(parent)
        else:
            self._find_way()

    def _find_way(self) -> None:
        """By names from the root, as far as they lead: the directory was moved or removed."""
        self._lost += 1
        if self._lost > LOST_MAX:
            self.count.complete = False
            self._levels.clear()
            return
        self._go(os.dup(self._root))
        for depth, level in enumerate(self._levels[1:], 1):
            try:
                fd = beneath.open_child(self._fd, level.name)
            except OSError:
                del self._levels[depth:]
                return
            self._go(fd)
            if identity(fd) != level.identity:
                level.identity, level.offset = identity(fd), 0

    def _go(self, fd: int) -> None:
        os.close(self._fd)
        self._fd = fd
