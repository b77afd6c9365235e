"""One pull of an image, and one download of a layer, at a time over all processes of this node.

A lock is one byte of one file, at an offset from the name's digest; the kernel drops it with the process.
Source: fcntl(2), "Open file description locks".
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from executor.errors import Failure, reason
from executor.images.failures import PullFailure

FILE: Final = "images.lock"
AGAIN_S: Final = 0.1
LIMIT_S: Final = 6 * 3600.0
"""How long a lock is waited for: longer than a pull takes that makes progress."""
_FLOCK = "hhqqi4x"  # struct flock of fcntl(2) on 64-bit Linux
_BUSY = (errno.EAGAIN, errno.EACCES)


@asynccontextmanager
async def held(
    run_dir: Path, name: str, waiting: Callable[[], object] = lambda: None, *, limit_s: float = LIMIT_S
) -> AsyncIterator[None]:
    """The lock of `name`; `waiting` is called once if another process has it. Raises PullFailure if it has it for
    longer than `limit_s`, Failure if the file of the locks cannot be used.
    """
    file, deadline = _open(run_dir), time.monotonic() + limit_s
    try:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        reported = False
        while not _try(file, place):
            if not reported:
                reported = True
                waiting()
            if time.monotonic() > deadline:
                message = f"another process of this node has held its lock for {limit_s:g} s"
                raise PullFailure(message, subject=name, hint=f"lslocks shows who holds {run_dir / FILE}")
            await asyncio.sleep(AGAIN_S)
        yield
    finally:
        os.close(file)  # and with it the lock


def _open(run_dir: Path) -> int:
    try:
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        return os.open(run_dir / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Failure(f"cannot be opened: {reason(error)}", subject=str(run_dir / FILE)) from error


def _try(file: int, place: int) -> bool:
    wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        if error.errno not in _BUSY:
            raise Failure(f"cannot be locked: {reason(error)}", subject=FILE) from error
        return False
    return True
