"""The mount namespace of process 1, where containerd is: under the agent's filesystem/linux isolator this process has
another one. Source: setns(2), mount_namespaces(7).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

_CLONE_FS: Final = 0x00000200
_CLONE_NEWNS: Final = 0x00020000
_libc = ctypes.CDLL(None, use_errno=True)


def enter_mounts() -> None:
    """Move the calling thread there. It must have been started for this and end after it: it gives up the file system
    context that it shares with others. Raises OSError: PermissionError without CAP_SYS_ADMIN and CAP_SYS_PTRACE.
    """
    if Path("/proc/1/ns/mnt").readlink() == Path("/proc/thread-self/ns/mnt").readlink():
        return
    host = os.open("/proc/1/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_CLONE_FS))
        _check(_libc.setns(host, _CLONE_NEWNS))
    finally:
        os.close(host)


def _check(returned: int) -> None:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
