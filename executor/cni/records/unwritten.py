"""Addresses that host-local reserved without an owner: it was killed between making the file and writing the owner.

host-local holds an exclusive flock(2) on `<dataDir>/<network>/lock` from before it makes the file until it has written
it (containernetworking-plugins, plugins/ipam/host-local/backend/disk). So under that lock an empty file has
no owner, of this runtime or of another, and no DEL would remove it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from executor.cni.config.conflist import Network
from executor.cni.records.host_local import is_address, ledger

_LOCK = "lock"


def release_unwritten(networks: Iterable[Network]) -> int:
    """How many there were. A ledger that is locked just now, or cannot be read, is left for another time."""
    directories = {directory for network in networks if (directory := ledger(network)) is not None}
    return sum(_release(directory) for directory in sorted(directories))


def _release(directory: Path) -> int:
    empty = _empty(directory)
    if not empty:
        return 0
    try:
        lock = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return sum(_removed(path) for path in _empty(directory))
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return 0
    finally:
        os.close(lock)


def _empty(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if is_address(path.name) and path.lstat().st_size == 0]
    except OSError:
        return []


def _removed(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        return True
    return False
