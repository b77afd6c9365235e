"""Removal of a directory that foreign programs have filled: any depth, any number of entries, any names.

Work goes by descriptor and never through a symbolic link or across a mount. At most four descriptors are open. A
directory that lies deeper than DEPTH_MAX is moved to the top first, so that memory is bounded too. `turn` does a
bounded part; what cannot be removed is kept in `failures`, and the rest goes.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executor import beneath
from executor.disk import descriptors
from executor.disk.failures import Failures
from executor.own_directory import Identity, OwnDirectory, identity, open_directory

ENTRIES_A_TURN: Final = 256
DEPTH_MAX: Final = 512
"""Levels that are kept in memory."""
BELOW_MAX: Final = 256
BELOW_TOTAL_MAX: Final = 16384
"""Names of directories that are kept in memory: of one level, of all."""
FAILED_MAX: Final = 1000
"""Entries of one directory that cannot be removed; after that many it is left as it is."""
AGAIN_MAX: Final = 3
"""How often a directory that is filled or moved meanwhile is begun again."""
_MOVED: Final = b".mesos-pod-executor-removal-%d"


@dataclass(slots=True)
class _Level:
    name: bytes
    identity: Identity
    below: list[bytes] = field(default_factory=list)
    """Directories in it that are to be entered."""
    failed: set[bytes] = field(default_factory=set)
    again: dict[bytes, int] = field(default_factory=dict)
    listed: bool = False
    """Whether everything in it is removed, in `below` or in `failed`."""


class Removal:
    """The removal of the directory `name` in `above`, with its content. `turn` until it returns True, or `close`."""

    def __init__(self, above: OwnDirectory, name: str) -> None:
        self.failures = Failures(Path(above.path, name))
        self.removed = 0
        """Entries so far."""
        self._parent, self._name = above, name
        self._above = self._root = self._fd = -1
        self._levels: list[_Level] = []
        self._pending = 0
        self._moved = 0
        self._restarts = 0
        self._begun = False

    def turn(self) -> bool:
        """Remove some ENTRIES_A_TURN entries; whether nothing is left to be done. Raises OSError only for a failure of
        this process (no descriptor, no memory); it can be called again then.
        """
        if not self._begun and not self._begin():
            return True
        budget = ENTRIES_A_TURN
        while budget > 0 and self._levels:
            level = self._levels[-1]
            if level.below:
                self._pending -= 1
                self._enter(level, level.below.pop())
                budget -= 1
            elif level.listed:
                self._leave()
                budget -= 1
            else:
                budget -= self._sweep(level, budget)
        if self._levels:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Idempotent."""
        self._close_all()
        self._levels.clear()
        self._begun = True

    def _close_all(self) -> None:
        for fd in {self._above, self._root, self._fd} - {-1}:
            os.close(fd)
        self._above = self._root = self._fd = -1

    def _begin(self) -> bool:
        try:
            self._above = self._parent.open()
            self._root = open_directory(self._above, self._name)
            self._fd = os.dup(self._root)
        except FileNotFoundError:
            self.close()
            return False
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                self._close_all()
                raise
            self.close()
            self.failures.add((), b"", error)
            return False
        self._levels = [_Level(b"", identity(self._fd))]
        self._begun = True
        return True

    def _sweep(self, level: _Level, budget: int) -> int:
        """Unlink what is not a directory and note the directories; how many entries were looked at, at least 1."""
        room = BELOW_MAX if self._pending < BELOW_TOTAL_MAX else 1
        looked, level.listed = 0, True
        with os.scandir(self._fd) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if name in level.failed:
                    continue
                if looked >= budget or len(level.below) >= room:
                    level.listed = False
                    break
                if len(level.failed) >= FAILED_MAX:
                    break
                looked += 1
                self._take(level, name, _is_directory(entry))
        return max(1, looked)

    def _take(self, level: _Level, name: bytes, is_directory: bool) -> None:  # noqa: FBT001 of one entry
        if not is_directory:
            try:
                os.unlink(name, dir_fd=self._fd)
                self.removed += 1
            except FileNotFoundError:
                return
            except IsADirectoryError:
                is_directory = True
            except OSError as error:
                self._fail(level, name, error)
        if is_directory:
            level.below.append(name)
            self._pending += 1

    def _enter(self, level: _Level, name: bytes) -> None:
        if len(self._levels) >= DEPTH_MAX:
            self._move_up(level, name)
            return
        try:
            fd = beneath.open_child(self._fd, name)
        except FileNotFoundError:
            return
        except NotADirectoryError:  # it was replaced meanwhile: the next look finds a file
            level.listed = False
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                level.below.append(name)
                self._pending += 1
                raise
            self._fail(level, name, error)
            return
        self._levels.append(_Level(name, identity(fd)))
        self._go(fd)

    def _move_up(self, level: _Level, name: bytes) -> None:
        """To the top, where it is found as a directory of the first level."""
        self._moved += 1
        try:
            os.rename(name, _MOVED % self._moved, src_dir_fd=self._fd, dst_dir_fd=self._root)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and self._retry(level, name):
                return
            self._fail(level, name, error)
            return
        self._levels[0].listed = False

    def _leave(self) -> None:
        done = self._levels.pop()
        if not self._levels:
            self._remove_root(done)
            return
        level = self._levels[-1]
        parent = descriptors.open_parent(self._fd, level.identity)
        if parent is None:
            self._restart(done)
            return
        self._go(parent)
        try:
            os.rmdir(done.name, dir_fd=self._fd)
            self.removed += 1
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ENOTEMPTY and done.failed:
                level.failed.add(done.name)
            elif error.errno != errno.ENOTEMPTY or not self._retry(level, done.name):
                self._fail(level, done.name, error)

    def _retry(self, level: _Level, name: bytes) -> bool:
        """Whether the directory `name` gets another try."""
        level.again[name] = level.again.get(name, 0) + 1
        if level.again[name] > AGAIN_MAX:
            return False
        level.below.append(name)
        self._pending += 1
        return True

    def _remove_root(self, done: _Level) -> None:
        try:
            os.rmdir(self._name, dir_fd=self._above)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ENOTEMPTY and not done.failed and self._restarts < AGAIN_MAX:
                self._restarts += 1
                self._levels = [_Level(b"", done.identity)]
            elif error.errno != errno.ENOTEMPTY or not done.failed:
                self.failures.add((), b"", error)

    def _restart(self, moved: _Level) -> None:
        """From the top: the directory was moved to elsewhere while this one was in it."""
        self._restarts += 1
        top = self._levels[0]
        if self._restarts > AGAIN_MAX:
            self.failures.add([level.name for level in self._levels], moved.name, OSError(errno.EXDEV, "was moved"))
            self._levels.clear()
            return
        self._pending = 0
        self._levels = [_Level(b"", top.identity, failed=top.failed, again=top.again)]
        self._go(os.dup(self._root))

    def _fail(self, level: _Level, name: bytes, error: OSError) -> None:
        level.failed.add(name)
        self.failures.add([each.name for each in self._levels], name, error)

    def _go(self, fd: int) -> None:
        os.close(self._fd)
        self._fd = fd


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # its type is not in the listing, and it is gone: unlink tells
        return False
