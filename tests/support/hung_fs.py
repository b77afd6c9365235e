"""A file system whose server has stopped answering: whoever opens its one file sleeps uninterruptibly.

    with HungFs(directory) as hung:   # `directory`/file is there; open(2) of it never returns, SIGKILL or not
        ...
        hung.release()                # the sleepers get an error, and die of what was sent to them

FUSE by hand (include/uapi/linux/fuse.h): a process that waits for a request that its server has taken cannot be
killed (fs/fuse/dev.c, request_wait_answer). Needs root and /dev/fuse.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

LOOKUP, GETATTR, OPEN, INIT, FORGET, INTERRUPT, BATCH_FORGET = 1, 3, 14, 26, 2, 36, 42
SILENT = {OPEN, FORGET, INTERRUPT, BATCH_FORGET}
ROOT, FILE = 1, 2
_ENOSYS = 38
_MNT_FORCE = 1  # aborts the connection, also when the mount stays because it is busy
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


class HungFs:
    def __init__(self, directory: Path, silent: Collection[int] = SILENT) -> None:
        """`silent`: the requests that get no answer. With LOOKUP among them the path of the file is not even found."""
        self.directory = directory
        self._silent = silent
        self._fd = -1
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if _libc.mount(b"hung", str(self.directory).encode(), b"fuse", 0, options):
            raise OSError(ctypes.get_errno(), "mount")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        _libc.umount2(str(self.directory).encode(), _MNT_DETACH)

    def release(self) -> None:
        """The server is gone: every request ends with ENOTCONN. Idempotent."""
        if self._fd >= 0:
            _libc.umount2(str(self.directory).encode(), _MNT_FORCE)
            os.close(self._fd)
            self._fd = -1

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._fd, 1 << 17)
            except OSError:  # unmounted or closed
                return
            opcode, unique, node = struct.unpack_from("<4xIQQ", request)
            if opcode in self._silent:
                continue
            body = self._answer(opcode, node)
            error = 0 if body is not None else -_ENOSYS
            body = body or b""
            with contextlib.suppress(OSError):
                os.write(self._fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)

    def _answer(self, opcode: int, node: int) -> bytes | None:
        if opcode == INIT:
            return struct.pack("<IIIIHHI", 7, 19, 1 << 16, 0, 12, 9, 1 << 16)
        if opcode == LOOKUP:
            return struct.pack("<QQQQII", FILE, 0, 3600, 3600, 0, 0) + _attributes(FILE)
        if opcode == GETATTR:
            return struct.pack("<QII", 3600, 0, 0) + _attributes(node)
        return None


def _attributes(node: int) -> bytes:
    mode = 0o040755 if node == ROOT else 0o100644
    return struct.pack("<QQQQQQIIIIIIIIII", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
