"""The logs of a pod that used too much disk: only their ends are kept, for they still count after the pod's end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

KEEP_BYTES: Final = 64 << 10
"""Of each stream's newest file."""
_STREAMS: Final = ("stdout", "stderr")


def cut(directory: Path, containers: Collection[str]) -> int:
    """Removes rotated files and all but the end of the newest; bytes removed. Raises OSError.

    The newest file is replaced, not truncated: who still has it open writes to the removed one.
    """
    removed = 0
    if not directory.is_dir():  # it ends before it was set up
        return 0
    for path in list(directory.iterdir()):
        container, _, rest = path.name.partition(".")
        stream, _, older = rest.partition(".")
        if container not in containers or stream not in _STREAMS or path.is_symlink():
            continue
        size_bytes = path.stat().st_size
        if older:
            path.unlink(missing_ok=True)
            removed += size_bytes
        elif size_bytes > KEEP_BYTES:
            _keep_end(path)
            removed += size_bytes - KEEP_BYTES
    return removed


def _keep_end(path: Path) -> None:
    new = path.with_name(f".{path.name}.new")
    with path.open("rb") as file:
        file.seek(-KEEP_BYTES, os.SEEK_END)
        end = file.read(KEEP_BYTES)
    try:
        new.write_bytes(end)
        new.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        path.unlink()  # a full disk has no room for the copy
        raise
