"""fsGroup: every file of a volume belongs to a group, which can read, write and enter.

Device nodes, which a container may have made, are the node's and stay as they are.
Work goes by descriptor and never through a symbolic link or across a mount, for containers of other pods may change the
volume meanwhile. `turn` does a bounded part, so that one large volume holds up no other one.
Source: Kubernetes, pkg/volume/volume_linux.go (SetVolumeOwnership).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executor.errors import Failure

ENTRIES_A_TURN: Final = 1000
DEPTH_MAX: Final = 256
"""Levels, for each of which a descriptor is open."""
ENTRIES_MAX: Final = 10_000_000
GROUP_USES: Final = 0o660
GROUP_ENTERS: Final = 0o2110


@dataclass
class _Level:
    fd: int
    names: Iterator[str]


class Ownership:
    """The ownership of the directory `path` with everything in it. `turn` until it returns True, or `close`. With
    `on_root_mismatch` nothing is done where the root has the group and its rights already.
    """

    def __init__(self, path: Path, gid: int, *, on_root_mismatch: bool = False) -> None:
        self._path, self._gid, self._on_root_mismatch = path, gid, on_root_mismatch
        self._levels: list[_Level] = []
        self._begun = False
        self._device = 0
        self.entries = 0

    def turn(self) -> bool:
        """Whether it was the last part. Raises OSError, Failure."""
        if not self._begun:
            self._begin()
        limit = self.entries + ENTRIES_A_TURN
        while self._levels and self.entries < limit:
            self._step(self._levels[-1])
        return not self._levels

    def close(self) -> None:
        """Idempotent."""
        for level in self._levels:
            os.close(level.fd)
        self._levels.clear()

    def _begin(self) -> None:
        self._begun = True
        root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        found = os.fstat(root)
        self._device = found.st_dev
        if self._on_root_mismatch and found.st_gid == self._gid and self._has_rights(found.st_mode):
            os.close(root)
            return
        self._enter(root)

    def _has_rights(self, mode: int) -> bool:
        wanted = GROUP_USES | GROUP_ENTERS
        return stat.S_IMODE(mode) & wanted == wanted

    def _enter(self, fd: int) -> None:
        try:
            with os.scandir(fd) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            os.close(fd)
            raise
        self._levels.append(_Level(fd, iter(names)))

    def _step(self, level: _Level) -> None:
        """The root of a directory comes last: until then it mismatches, should this be cut short."""
        name = next(level.names, None)
        if name is None:
            self._own(level.fd)
            self._levels.pop()
            os.close(level.fd)
            return
        self.entries += 1
        if self.entries > ENTRIES_MAX:
            raise Failure(f"has more than {ENTRIES_MAX} files", subject=str(self._path), hint="leave fsGroup out")
        self._take(level, name)

    def _take(self, level: _Level, name: str) -> None:
        try:
            found = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self._descend(level, name)
            elif stat.S_ISLNK(found.st_mode):
                os.chown(name, -1, self._gid, dir_fd=level.fd, follow_symlinks=False)
            else:
                fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=level.fd)
                try:
                    self._own(fd)
                finally:
                    os.close(fd)
        except FileNotFoundError:  # it was removed meanwhile
            return

    def _descend(self, level: _Level, name: str) -> None:
        if len(self._levels) >= DEPTH_MAX:
            hint = "leave fsGroup out, or use fsGroupChangePolicy OnRootMismatch"
            raise Failure(f"has directories deeper than {DEPTH_MAX}", subject=str(self._path), hint=hint)
        try:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=level.fd)
        except NotADirectoryError:  # it was replaced meanwhile
            return
        if os.fstat(fd).st_dev != self._device:
            os.close(fd)
            return
        self._enter(fd)

    def _own(self, fd: int) -> None:
        mode = os.fstat(fd).st_mode
        path = f"/proc/self/fd/{fd}"  # an O_PATH descriptor can be changed in no other way
        if stat.S_ISLNK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            return
        os.chown(path, -1, self._gid)
        rights = GROUP_USES | (GROUP_ENTERS if stat.S_ISDIR(mode) else 0)
        os.chmod(path, stat.S_IMODE(mode) | rights)  # noqa: PTH101 a descriptor, no path
