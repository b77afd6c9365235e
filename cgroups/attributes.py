"""Notes on a group's directory, in extended attributes that only the machine's administrator may set (xattr(7)).

They live as long as the directory. The kernel keeps them on v1 and on cgroup2 alike; where it does not, nothing is
noted, and a reader gets None.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cgroups.errors import CgroupError
from cgroups.files import Directory

LOCK = "lock"
"""Which lock is the owner's, as on everything else that carries an owner's name."""
_PREFIX = "trusted.mesos-pod-executor."


def note(point: Path, path: str, name: str, text: str) -> None:
    """In one hierarchy. What cannot be noted is left out."""
    with contextlib.suppress(CgroupError, OSError), Directory.open(point, path) as directory:
        os.setxattr(directory.fd, f"{_PREFIX}{name}", text.encode())


def noted(point: Path, path: str, name: str) -> str | None:
    """None if nothing was noted, or the group is not there."""
    try:
        with Directory.open(point, path) as directory:
            return os.getxattr(directory.fd, f"{_PREFIX}{name}").decode(errors="replace")
    except (CgroupError, OSError):
        return None
