"""Making a group in one hierarchy, and removing it.

v2: a controller's files appear in a group only if its parent names the controller in `cgroup.subtree_control`, all the
way down, and a group that does so may hold no processes itself (cgroup-v2.rst, "No Internal Process Constraint").
v1: a new cpuset group takes no process until it has cpus and mems, and old kernels account no children without
`memory.use_hierarchy`.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from cgroups.descent import Descent
from cgroups.errors import CgroupBusy, CgroupError, CgroupNotFound
from cgroups.files import Directory
from cgroups.processes import members

_BUSY_RETRIES_S = (0.001, 0.002, 0.004, 0.008, 0.016)
# What a missing or foreign controller answers; everything that needs its files reports them as not there.
_NOT_OURS = frozenset({errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.EROFS})
_ENSURE_TRIES = 10
_CPUSET = ("cpuset.cpus", "cpuset.mems")
_MOVE_AWAY = "move the processes of this group into a leaf below it, or create without controllers"


def ensure(point: Path, path: str, *, v1: Collection[str] = (), delegate: Collection[str] = ()) -> None:
    """Makes the group and what is missing above it.

    `v1` names the controllers that are mounted here. In v2 those in `delegate` are enabled on the way. Raises
    CgroupBusy where a group on the way has processes of its own and cannot pass controllers down.
    """
    for tries_left in range(_ENSURE_TRIES - 1, -1, -1):
        try:
            _make_missing(point, path, v1, delegate)
            return
        except CgroupNotFound:  # an empty group on the way has just been removed
            if not tries_left:
                raise


def _make_missing(point: Path, path: str, v1: Collection[str], delegate: Collection[str]) -> None:
    """From the nearest group that is there downwards, unless that one is not ready for a group below it."""
    above = path.rpartition("/")[0]
    try:
        made = _make_below(point, path, v1, delegate)
    except CgroupNotFound:
        if not above:
            raise
        _make_missing(point, above, v1, delegate)
        made = _make_below(point, path, v1, delegate)
    if not made:
        _make_all(point, path, v1, delegate)


def _make_all(point: Path, path: str, v1: Collection[str], delegate: Collection[str]) -> None:
    with ExitStack() as held:
        parent = held.enter_context(Directory.open(point))
        for name in filter(None, path.split("/")):
            _make(parent, name, v1, delegate)
            parent = held.enter_context(parent.child(name))


def _make_below(point: Path, path: str, v1: Collection[str], delegate: Collection[str]) -> bool:
    """The group alone; False where the one above it is not ready for it. Raises CgroupNotFound if that is missing."""
    above, _, name = path.rpartition("/")
    with Directory.open(point, above) as parent:
        if not _is_ready(parent, v1, delegate, point):
            return False
        _make(parent, name, v1, ())
    return True


def _is_ready(directory: Directory, v1: Collection[str], delegate: Collection[str], point: Path) -> bool:
    """Whether a group below it gets all that there is, so that nothing above it need be looked at."""
    return (
        _passes_on(directory, delegate, point)
        and not ("memory" in v1 and directory.read_optional("memory.use_hierarchy") == "0\n")
        and not ("cpuset" in v1 and "\n" in map(directory.read_optional, _CPUSET))
    )


def _passes_on(directory: Directory, delegate: Collection[str], point: Path) -> bool:
    """Whether it passes each of them on, but for those that the hierarchy has not (its root group lists all)."""
    enabled = (directory.read_optional("cgroup.subtree_control") or "").split() if delegate else ()
    missing = set(delegate) - set(enabled)
    if not missing:
        return True
    with Directory.open(point) as top:
        return missing.isdisjoint((top.read_optional("cgroup.controllers") or "").split())


def _make(parent: Directory, name: str, v1: Collection[str], delegate: Collection[str]) -> None:
    if delegate:
        _enable(parent, delegate)
    parent.mkdir(name)
    if "memory" in v1 or "cpuset" in v1:
        with parent.child(name) as child:
            if "memory" in v1:
                _account_children(child)
            if "cpuset" in v1:
                _inherit_cpuset(parent, child)


def remove(point: Path, path: str) -> None:
    """Removes the group and everything below it, leaves first. What is not there is success.

    Raises CgroupBusy with the pids if a process lives in it; what was removed before that stays removed.
    """
    above, _, name = path.rpartition("/")
    try:
        with Directory.open(point, above) as parent:
            _remove(parent, name)
    except CgroupNotFound:
        return


def remove_if_empty(point: Path, path: str) -> bool:
    """rmdir without its children; False if it is in use. What is not there is success."""
    above, _, name = path.rpartition("/")
    try:
        with Directory.open(point, above) as parent:
            parent.rmdir(name)
    except CgroupNotFound:
        return True
    except CgroupError as error:
        if error.errno in (errno.EBUSY, errno.ENOTEMPTY):
            return False
        raise
    return True


def _enable(directory: Directory, controllers: Collection[str]) -> None:
    available = (directory.read_optional("cgroup.controllers") or "").split()
    enabled = (directory.read_optional("cgroup.subtree_control") or "").split()
    for controller in controllers:
        if controller in available and controller not in enabled:
            try:
                directory.write("cgroup.subtree_control", f"+{controller}")
            except CgroupBusy as error:
                error.hint, error.pids = _MOVE_AWAY, tuple(sorted(members(directory, recursive=False)))
                raise
            except CgroupError as error:
                if error.errno not in _NOT_OURS:
                    raise


def _account_children(directory: Directory) -> None:
    if directory.read_optional("memory.use_hierarchy") == "0\n" and not directory.subdirectories():
        directory.write("memory.use_hierarchy", "1")


def _inherit_cpuset(parent: Directory, child: Directory) -> None:
    for name in _CPUSET:
        if child.read_optional(name) == "\n":
            child.write(name, parent.read(name).strip())


def _remove(parent: Directory, name: str) -> None:
    with Descent(parent) as descent:
        descent.names.append([name])
        while True:
            if descent.names[-1]:
                if _entered(descent, descent.names[-1].pop()):
                    descent.list()
                continue
            if descent.at_top:
                return
            left, depth = descent.current.path.rpartition("/")[2], len(descent.names)
            descent.up()
            if len(descent.names) == depth - 1:
                _rmdir_patiently(descent.current, left)


def _entered(descent: Descent, name: str) -> bool:
    """Raises CgroupNotFound for the group that was asked for only."""
    try:
        descent.down(name)
    except CgroupNotFound:
        if descent.at_top:
            raise
        return False
    return True


def _rmdir_patiently(parent: Directory, name: str) -> None:
    """The last process is off the lists a moment before its group may go, so an EBUSY without pids is tried again."""
    for pause_s in (*_BUSY_RETRIES_S, None):
        try:
            parent.rmdir(name)
            return
        except CgroupNotFound:
            return
        except CgroupBusy as error:
            error.pids = _pids(parent, name)
            if error.pids or pause_s is None:
                raise
            time.sleep(pause_s)


def _pids(parent: Directory, name: str) -> tuple[int, ...]:
    try:
        with parent.child(name) as directory:
            return tuple(sorted(members(directory, recursive=True)))
    except CgroupNotFound:
        return ()
