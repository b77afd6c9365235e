"""Cgroup directories that tests leave on a host: found and removed in every hierarchy, below one name of ours only.

Test code of its own on purpose: what checks for leaks must not share the code that might leak. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path


def mount_points(mountinfo: str) -> list[Path]:
    """Where cgroup hierarchies are mounted, v1 and v2, from the text of /proc/self/mountinfo (proc(5))."""
    points = []
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split(" ", 1)[0] in ("cgroup", "cgroup2"):
            points.append(Path(fields.split()[4]))
    return points


def of_processes() -> Path:
    """A hierarchy that all processes are in: cgroup2, the whole of /sys/fs/cgroup or beside v1, else one of v1."""
    text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    lines = sorted(text.splitlines(), key=lambda line: " - cgroup2 " not in line)
    return mount_points("\n".join(lines))[0]


def roots(name: str) -> list[Path]:
    """The directory called `name` in each hierarchy that has one. `name` is like `/mpe-1-ab` or `/mpe-1-ab/mesos`."""
    if not name.strip("/") or ".." in name.split("/"):
        raise ValueError(f"refusing to touch the cgroup {name!r}")
    mounts = mount_points(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    return [path for mount in mounts if (path := mount / name.strip("/")).is_dir()]


def below(name: str) -> list[Path]:
    """Every cgroup directory at and below `name`, children before their parents."""
    return [Path(found) for root in roots(name) for found, _, _ in os.walk(root, topdown=False)]


def pids(name: str) -> set[int]:
    found: set[int] = set()
    for directory in below(name):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (directory / "cgroup.procs").read_text().split()}
    return found - {0}


def sweep(name: str, *, timeout_s: float = 10.0) -> list[Path]:
    """Kill what runs below `name`, then remove it; returns what could not be removed in time (empty is success)."""
    deadline = time.monotonic() + timeout_s
    while left := below(name):
        thaw(left)
        for pid in pids(name) - {os.getpid()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for directory in left:
            with contextlib.suppress(OSError):
                directory.rmdir()
        if time.monotonic() > deadline:
            return below(name)
        if roots(name):
            time.sleep(0.02)
    return []


def thaw(directories: list[Path]) -> None:
    """A process that a v1 freezer holds cannot die."""
    for directory in directories:
        with contextlib.suppress(OSError):
            (directory / "freezer.state").write_text("THAWED")


def names(prefix: str) -> Iterator[str]:
    """Top-level cgroups of any hierarchy whose name starts with `prefix`."""
    seen: set[str] = set()
    for mount in mount_points(Path("/proc/self/mountinfo").read_text(errors="surrogateescape")):
        seen |= {f"/{path.name}" for path in mount.glob(f"{prefix}*") if path.is_dir()}
    return iter(sorted(seen))
