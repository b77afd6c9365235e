"""A v2 group that passes controllers on holds no process (cgroup-v2.rst, "No Internal Process Constraint").

The processes that were started in a group go into a leaf below it, and back once the group passes nothing on.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from pathlib import Path

from cgroups.errors import CgroupBusy, CgroupError, CgroupNotFound
from cgroups.files import Directory
from cgroups.group import Cgroup
from cgroups.membership import UNIFIED, Membership

_TRIES = 10
"""A process may fork while it is moved."""
_HINT = "end what starts processes in this group, or start it in a group below"


def vacate(group: Cgroup, leaf: Cgroup) -> list[Membership]:
    """Moves every process of the v2 group itself to `leaf`; says where each was. Raises CgroupError; CgroupBusy if
    more and more processes come.
    """
    moved: list[Membership] = []
    for _ in range(_TRIES):
        pids = group.pids(recursive=False)
        if not pids:
            return moved
        moved += [Membership(pid, {UNIFIED: group.path}) for pid in sorted(pids) if _attached(leaf, pid)]
    raise CgroupBusy(
        errno.EBUSY,
        "processes keep starting in this group, so it cannot pass controllers on",
        path=group.path,
        hint=_HINT,
        pids=sorted(group.pids(recursive=False)),
    )


def passed_on(point: Path, path: str) -> frozenset[str]:
    """The controllers that the v2 group passes on; none if it is gone."""
    try:
        with Directory.open(point, path) as directory:
            return frozenset((directory.read_optional("cgroup.subtree_control") or "").split())
    except CgroupNotFound:
        return frozenset()


def take_back(point: Path, path: str, *, keep: Collection[str] = ()) -> None:
    """The v2 group passes on nothing but `keep`. Raises CgroupBusy if a group right below passes another one on; a
    group that is gone is success.
    """
    try:
        with Directory.open(point, path) as directory:
            for controller in (directory.read_optional("cgroup.subtree_control") or "").split():
                if controller not in keep:
                    directory.write("cgroup.subtree_control", f"-{controller}")
    except CgroupNotFound:
        return


def _attached(leaf: Cgroup, pid: int) -> bool:
    try:
        leaf.attach(pid)
    except CgroupError as error:
        if error.errno == errno.ESRCH:
            return False
        raise
    return True
