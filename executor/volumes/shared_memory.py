"""What the containers of a pod share of memory, as in Kubernetes: one IPC namespace and one /dev/shm.

Both are mounts below the pod's own directory: a tmpfs, and the namespace, which a bind mount keeps in being without a
process. So they outlive each container, and go with the pod's other mounts.
Source: ipc_namespaces(7), shm_overview(7), namespaces(7), "The /proc/pid/ns/ directory".
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

from executor.volumes import host_mounts

SHM: Final = "shm"
IPC: Final = "ipc"
_CLONE_NEWIPC: Final = 0x08000000

_libc = ctypes.CDLL(None, use_errno=True)


def make(directory: Path, size_bytes: int) -> None:
    """For `host_mounts.run`, whose thread ends with it: the thread leaves its IPC namespace. Idempotent. Raises
    OSError.
    """
    host_mounts.tmpfs(directory / SHM, size_bytes, mode=0o1777)
    target = directory / IPC
    if host_mounts.is_mounted(target):
        return
    target.touch(mode=0o600)
    if _libc.unshare(_CLONE_NEWIPC) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    host_mounts.bind_path("/proc/thread-self/ns/ipc", target)
