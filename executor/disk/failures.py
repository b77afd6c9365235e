"""What could not be removed or read of a tree: the first few by path and errno, the rest as a number. Pure."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from executor.errors import reason

SHOWN: Final = 5
PATH_MAX: Final = 160
"""Characters of a path in a message."""
_HINTS: Final = {
    errno.EPERM: "immutable or append-only",
    errno.EBUSY: "a mount point",
    errno.EXDEV: "another mount",
    errno.EROFS: "read-only",
}


class Failures:
    """`path` is the tree's root; the paths of failures are relative to the directory that it is in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shown: list[str] = []
        self.count = 0

    def add(self, levels: Sequence[bytes], name: bytes, error: OSError) -> None:
        """`levels` are the names of the directories above `name`, from the root's on."""
        self.count += 1
        if len(self._shown) < SHOWN:
            names = [os.fsencode(self._path.name), *filter(None, levels), *filter(None, [name])]
            self._shown.append(f"{shown(b'/'.join(names))}: {_told(error)}")

    def text(self) -> str:
        """Empty if there are none."""
        more = self.count - len(self._shown)
        return "; ".join(self._shown) + (f"; {more} more" if more else "")


def shown(path: bytes) -> str:
    """A foreign path, fit for a message: printable, its middle left out if it is long."""
    text = "".join(
        char if char.isprintable() else "?" for char in path[-4 * PATH_MAX :].decode(errors="backslashreplace")
    )
    if len(path) <= PATH_MAX and len(text) <= PATH_MAX:
        return text
    head = path[: PATH_MAX // 4].decode(errors="replace")
    return "".join(char if char.isprintable() else "?" for char in head) + "..." + text[-PATH_MAX // 2 :]


def _told(error: OSError) -> str:
    number = error.errno or 0
    name = errno.errorcode.get(number, str(number))
    hint = f", {_HINTS[number]}" if number in _HINTS else ""
    return f"{reason(error)} ({name}{hint})"
