"""A process that stays in the middle of execve(2): it closes a file meanwhile, and the file system does not answer.

The kernel holds its exec_update_lock then (fs/exec.c, begin_new_exec), and whatever of /proc/<pid> is read under that
waits. The file system is FUSE in this process (linux/fuse.h); its end lets everything go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

DEVICE = Path("/dev/fuse")
_LOOKUP, _GETATTR, _OPEN, _RELEASE, _FLUSH, _INIT = 1, 3, 14, 18, 25, 26
_ROOT, _FILE = 1, 2
_REQUEST_BYTES = (1 << 17) + 4096
_ENOSYS = 38
_MNT_DETACH = 2
_S = 10.0
_EXECUTES = """
import os, sys
os.open(sys.argv[1], os.O_RDONLY | os.O_CLOEXEC)
os.execv("/bin/sleep", ["sleep", "1000"])
"""


@contextlib.contextmanager
def executing(directory: Path) -> Iterator[int]:
    """The pid of such a process. `directory` is empty, and is mounted on. Needs root and DEVICE."""
    libc, fd = ctypes.CDLL(None, use_errno=True), os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40755,user_id=0,group_id=0".encode()
    if libc.mount(b"mpe-test", os.fsencode(directory), b"fuse", 0, options) < 0:
        raise OSError(ctypes.get_errno(), "no FUSE can be mounted")
    hangs: list[int] = []
    hung = threading.Event()
    serving = threading.Thread(target=_serve, args=(fd, hangs, hung), daemon=True)
    serving.start()
    child = subprocess.Popen([sys.executable, "-c", _EXECUTES, str(directory / "file")])
    try:
        assert hung.wait(_S), "it does not come to close the file"
        yield child.pid
    finally:
        child.kill()
        for unique in hangs:
            _reply(fd, unique)
        child.wait(_S)
        libc.umount2(os.fsencode(directory), _MNT_DETACH)
        serving.join(_S)
        os.close(fd)


def _serve(fd: int, hangs: list[int], hung: threading.Event) -> None:
    """Until it is unmounted."""
    while True:
        try:
            request = os.read(fd, _REQUEST_BYTES)
        except OSError:
            return
        operation, unique, node = struct.unpack_from("<IQQ", request, 4)
        if operation == _FLUSH:
            hangs.append(unique)
            hung.set()
        elif operation in _ANSWERS:
            _reply(fd, unique, _ANSWERS[operation] if operation != _GETATTR else _valid(0) + _attributes(node))
        elif operation not in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET want no answer
            _reply(fd, unique, error=_ENOSYS)


def _reply(fd: int, unique: int, data: bytes = b"", error: int = 0) -> None:
    with contextlib.suppress(FileNotFoundError):  # it was interrupted
        os.write(fd, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)


def _valid(seconds: int) -> bytes:
    return struct.pack("<QII", seconds, 0, 0)


def _attributes(node: int) -> bytes:
    mode = 0o40755 if node == _ROOT else 0o100644
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


_ANSWERS = {
    _INIT: struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 16, 12, 65536, 1, 0, 0, *([0] * 8)),
    _LOOKUP: struct.pack("<4Q2I", _FILE, 0, 0, 0, 0, 0) + _attributes(_FILE),
    _GETATTR: b"",
    _OPEN: struct.pack("<Q2I", 1, 0, 0),
    _RELEASE: b"",
}
