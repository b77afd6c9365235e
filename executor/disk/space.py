"""How much has been written to file systems, from what statvfs says of them: the cheap look before any counting."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Space:
    """Adds up by how much the used space has grown from look to look. What is removed is not taken off: a pod may have
    written at the same time.
    """

    def __init__(self) -> None:
        self._used: dict[int, int] = {}
        self.written_bytes = 0

    def look(self, paths: Iterable[Path]) -> int:
        """Each file system of `paths` once; bytes written since the first look. For a thread: a disk may hang."""
        seen = set[int]()
        for path in paths:
            try:
                device, space = path.stat().st_dev, os.statvfs(path)
            except OSError:
                continue
            if device in seen:
                continue
            seen.add(device)
            used_bytes = (space.f_blocks - space.f_bfree) * space.f_frsize
            self.written_bytes += max(0, used_bytes - self._used.get(device, used_bytes))
            self._used[device] = used_bytes
        return self.written_bytes
