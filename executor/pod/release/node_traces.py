"""What the node still has of a container for which containerd knows no task: NotFound says nothing about it.

containerd forgets a task when a call about it is given up half way, and answers NotFound for every task whose record
is gone; the processes, the mount and the shim's state live on.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from executor.node import runtime_state

_MOUNTS = Path("/proc/1/mountinfo")
_SHOWN = 5


def traces(namespace: str, container: str, processes: Collection[int]) -> str:
    """What is left of a container, in words; empty if nothing is. `processes` are those in its cgroup."""
    found = []
    if processes:
        found.append(f"processes {', '.join(map(str, sorted(processes)[:_SHOWN]))}")
    if mount := _rootfs_mount(namespace, container):
        found.append(f"the mount {mount}")
    if runtime_state.exists(namespace, container):
        found.append(f"runc's state {runtime_state.path(namespace, container)}")
    return ", ".join(found)


def _rootfs_mount(namespace: str, container: str) -> str:
    """Where the container's root file system is mounted, as PID 1 sees it; empty if it is not."""
    end = f"/{namespace}/{container}/rootfs".encode()
    try:
        data = _MOUNTS.read_bytes()
    except OSError:
        return ""
    if end + b" " not in data:
        return ""
    points = (fields[4] for line in data.splitlines() if len(fields := line.split(b" ")) > 4)
    return next((point.decode(errors="replace") for point in points if point.endswith(end)), "")
