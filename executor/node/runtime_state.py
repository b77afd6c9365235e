"""What runc keeps of a container beside containerd: a directory of its own.

A runc that is killed while it makes a container leaves that directory, and where containerd had given the container up
before, it has run `runc delete` already: nothing removes it any more. It is abandoned when no process of the container
is left and no runc works on it; the caller shows the first, by the container's cgroup.
Source: runc, libcontainer/factory_linux.go and delete.go; containerd, runtime/v2/shim.go (cleanupAfterDeadShim).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path("/run/containerd/runc")
"""The place in containerd's default options; it does not depend on containerd's own directories."""


def path(namespace: str, container: str, root: Path = ROOT) -> Path:
    """The container's directory. Raises ValueError for what is not a name in one."""
    for name in (namespace, container):
        if name in ("", ".", "..") or "/" in name:
            raise ValueError(f"{name!r} is not a name of a directory")
    return root / namespace / container


def exists(namespace: str, container: str, root: Path = ROOT) -> bool:
    """Whether runc knows the container."""
    return path(namespace, container, root).exists()


def workers(container: str) -> list[int]:
    """The processes that work on the container: its id is the last word of a runc's command line."""
    end = b"\0" + os.fsencode(container) + b"\0"
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal() and _command(name).endswith(end))  # noqa: PTH208  names, not paths


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def remove_abandoned(namespace: str, container: str, root: Path = ROOT) -> bool:
    """Remove the directory of a container without processes; False while a runc works on it. Raises OSError."""
    directory = path(namespace, container, root)
    if not directory.exists():
        return True
    if workers(container):
        return False
    shutil.rmtree(directory)
    return True
