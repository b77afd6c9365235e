"""Cgroups of executors: whose they are, who made what is above them, and what must go at once after a death.

A group above the executors' own (`/mesos` in a hierarchy that the agent does not use, `/mesos-pod-executor`) is removed
by the last executor only if an executor made it: what an operator made may have limits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from cgroups import Cgroup, CgroupError, CgroupNotFound, Hierarchies
from cgroups.attributes import LOCK, note, noted
from cgroups.files import Directory, number

_MADE = "made"
_MIN = "memory.min"


def ensure_parents(hierarchies: Hierarchies, path: str) -> None:
    """The groups above `path`, in every hierarchy, with a note on each that is made now. Raises CgroupError."""
    for parent in reversed(_parents(path)):
        for point in hierarchies.points:
            if not (point / parent.lstrip("/")).is_dir():
                Cgroup(_one(hierarchies, point), parent).ensure(with_controllers=False)
                note(point, parent, _MADE, "")


def remove_parents(hierarchies: Hierarchies, path: str) -> None:
    """The groups above `path`, in each hierarchy, that executors made and in which nothing is any more."""
    for point in hierarchies.points:
        for parent in _parents(path):
            try:
                if noted(point, parent, _MADE) is None or not Cgroup(_one(hierarchies, point), parent).prune():
                    break
            except CgroupError:
                break


def protect_parents(point: Path, path: str) -> None:
    """`memory.min` of the v2 groups above `path` that executors made: as much as the groups right below each have, or
    theirs is void (cgroup-v2.rst). Another executor may do the same meanwhile. Raises CgroupError.
    """
    for parent in _parents(path):
        if noted(point, parent, _MADE) is None:
            return
        with Directory.open(point, parent) as directory:
            applied = None
            while (due_bytes := _protected_below(directory)) != applied and directory.has(_MIN):
                directory.write(_MIN, str(due_bytes))
                applied = due_bytes


def _protected_below(directory: Directory) -> int:
    found = 0
    for name in directory.subdirectories():
        with contextlib.suppress(CgroupNotFound), directory.child(name) as child:
            found += number(child.read_optional(_MIN)) or 0
    return found


def _parents(path: str) -> list[str]:
    """Nearest first, without the root."""
    names = path.strip("/").split("/")
    return ["/" + "/".join(names[:length]) for length in range(len(names) - 1, 0, -1)]


def identities(parent: str) -> Iterator[tuple[str, str | None]]:
    """Each group right below `parent`, in any hierarchy, by its name, with the identity that is noted there
    (cgroups/attributes.py). Raises CgroupError.
    """
    hierarchies = Hierarchies.discover()
    for name in Cgroup(hierarchies, parent).children():
        texts = [noted(point, f"{parent}/{name}", LOCK) for point in hierarchies.points]
        yield name, next(filter(None, texts), None)


def remove_empty(root: str) -> bool:
    """The groups of the pods and of the executor below `root`; whether nothing of them is left.

    runc may have made some of them again after the agent had listed what it destroys, which then waits for them.
    """
    hierarchies = Hierarchies.discover()
    gone = True
    for name in ("pods", "executor"):
        try:
            Cgroup(hierarchies, f"{root}/{name}").destroy()
        except CgroupError:
            gone = False
    return gone


def all_pids(groups: Collection[Cgroup]) -> set[int]:
    """The pid of every process in one of the groups, or below it."""
    return set().union(*(group.pids() for group in groups))


def _one(hierarchies: Hierarchies, point: object) -> Hierarchies:
    v1 = {name: mounted for name, mounted in hierarchies.v1.items() if mounted == point}
    return Hierarchies(v1, hierarchies.unified if hierarchies.unified == point else None)
