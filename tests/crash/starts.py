"""Starts of containers that end in the middle."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def by_crun() -> bool:
    """Whether crun runs the containers (--runtime crun). Their init reads from the fifo, that of runc writes to it."""
    return Path(shutil.which("runc") or "").resolve().name == "crun"


def let_go(container: str, *, read: bool) -> None:
    """As a `runc start` that is killed before it has removed the fifo by which init waits. `read`: init goes on;
    without it init may end. `container` is a pattern that one container's id matches.
    """
    opened = os.open(fifo(container), os.O_RDONLY | (0 if read else os.O_NONBLOCK))
    if read:
        os.read(opened, 1)
    os.close(opened)


def leave_waiting(container: str) -> None:
    """As a `crun start` that is killed: it removes the fifo, and would write to it then."""
    opened = os.open(path := fifo(container), os.O_WRONLY)
    path.unlink()
    os.close(opened)


def fifo(container: str) -> Path:
    (found,) = Path("/run/containerd/runc").glob(f"*/{container}/exec.fifo")
    return found
