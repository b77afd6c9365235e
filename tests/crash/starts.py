"""Starts of containers that end in the middle."""

from __future__ import annotations

import os
from pathlib import Path


def let_go(container: str, *, read: bool) -> None:
    """As a `runc start` that is killed: what runc's init waits for is opened, read perhaps, and not removed.
    `container` is a pattern that one container's id matches.
    """
    (fifo,) = Path("/run/containerd/runc").glob(f"*/{container}/exec.fifo")
    opened = os.open(fifo, os.O_RDONLY | (0 if read else os.O_NONBLOCK))
    if read:
        os.read(opened, 1)
    os.close(opened)
