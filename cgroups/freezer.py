"""Stopping and continuing all processes of a group: `cgroup.freeze` in the unified hierarchy, else v1's freezer.

They differ in one thing that matters: a process that `cgroup.freeze` holds ends after SIGKILL, one that the v1 freezer
holds ends only when it is thawed (freezer-subsystem.rst; cgroup-v2.rst, "cgroup.freeze").
"""

from __future__ import annotations

import select
import time
from pathlib import Path

from cgroups.descent import walk
from cgroups.errors import CgroupNotFound
from cgroups.files import Directory, flat_keyed
from cgroups.inotify import Inotify

V2_FILE = "cgroup.freeze"
V1_FILE = "freezer.state"
_V1_PAUSE_S = 0.0005


def freeze_v2(point: Path, path: str, timeout_s: float) -> bool:
    """True when every process is frozen, False if that took too long (what is asked for stays asked for)."""
    with Directory.open(point, path) as directory:
        notify = Inotify()
        try:
            notify.add(directory, "cgroup.events")
            directory.write(V2_FILE, "1")
            return _wait_frozen(directory, notify, time.monotonic() + timeout_s)
        finally:
            notify.close()


def freeze_v1(point: Path, path: str, timeout_s: float) -> bool:
    """The same for v1. FREEZING becomes FROZEN only by reading it again, so this has to look repeatedly."""
    deadline = time.monotonic() + timeout_s
    with Directory.open(point, path) as directory:
        directory.write(V1_FILE, "FROZEN")
        while directory.read(V1_FILE).strip() != "FROZEN":
            if time.monotonic() > deadline:
                return False
            time.sleep(_V1_PAUSE_S)
            directory.write(V1_FILE, "FROZEN")  # catches what was forked or was between two states meanwhile
    return True


def thaw_v2(point: Path, path: str) -> None:
    """Takes back the freeze of this very group. Raises CgroupNotFound, CgroupError."""
    with Directory.open(point, path) as directory:
        directory.write(V2_FILE, "0")


def thaw_v1(point: Path, path: str, *, recursive: bool) -> int:
    """Takes back the freeze of this group, and of those below it if `recursive`. Returns how many were frozen."""
    thawed = 0
    with Directory.open(point, path) as directory:
        for group in walk(directory) if recursive else (directory,):
            if _froze_itself(group):
                group.write(V1_FILE, "THAWED")
                thawed += 1
    return thawed


def frozen_above_v1(point: Path, path: str) -> bool:
    """Whether a group above this one holds it frozen: only thawing that one helps."""
    with Directory.open(point, path) as directory:
        return (directory.read_optional("freezer.parent_freezing") or "").strip() == "1"


def is_frozen_v2(directory: Directory) -> bool:
    """Whether all processes have stopped, by this group's freeze or one above."""
    return flat_keyed(directory.read_optional("cgroup.events")).get("frozen") == 1


def is_frozen_v1(directory: Directory) -> bool:
    """As `is_frozen_v2`, in v1."""
    return (directory.read_optional(V1_FILE) or "").strip() == "FROZEN"


def is_freezing_v1(directory: Directory) -> bool:
    """Frozen, or on the way to it."""
    return (directory.read_optional(V1_FILE) or "THAWED").strip() != "THAWED"


def _froze_itself(group: Directory) -> bool:
    try:
        return group.read("freezer.self_freezing").strip() == "1"
    except CgroupNotFound:
        return False


def _wait_frozen(directory: Directory, notify: Inotify, deadline: float) -> bool:
    poll = select.poll()
    poll.register(notify.fd, select.POLLIN)
    while not is_frozen_v2(directory):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        poll.poll(left_s * 1000)
        for _ in notify.drain():
            pass
    return True
