"""Where this machine's cgroup hierarchies are mounted: a pure reading of /proc/self/mountinfo and /proc/self/cgroup.

Three layouts exist. V1: a hierarchy per controller. HYBRID: the same, and a cgroup2 hierarchy beside them that has no
resource controllers but the core files (`cgroup.kill`, `cgroup.freeze`, `cgroup.events`, pressure). V2: cgroup2 alone.
A mount that shows only a part of a hierarchy (a bind mount into a container) or that another mount hides is not used.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cgroups.errors import CgroupError

_MOUNTINFO = Path("/proc/self/mountinfo")
_NOT_CONTROLLERS = frozenset(
    {"rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "none", "favordynmods"}
)


V1_NAMES = {"io": "blkio"}
"""What v1 calls the controllers that have another name in v2."""


class Mode(StrEnum):
    V1 = "v1"
    HYBRID = "hybrid"
    V2 = "v2"


@dataclass(frozen=True)
class Hierarchies:
    """`v1`: controller (or `name=systemd`) to mount point. `unified`: where cgroup2 is mounted, if it is."""

    v1: Mapping[str, Path] = field(default_factory=dict)
    unified: Path | None = None

    @classmethod
    def discover(cls) -> Hierarchies:
        """What is mounted in this process's mount namespace. Raises CgroupError if there is nothing to work with."""
        return parse_mountinfo(os.fsdecode(_MOUNTINFO.read_bytes()))

    @property
    def mode(self) -> Mode:
        """v1, v2, or both (hybrid)."""
        if self.unified is None:
            return Mode.V1
        return Mode.HYBRID if self.v1 else Mode.V2

    @property
    def v1_points(self) -> tuple[Path, ...]:
        """Every v1 mount point once: controllers may share one (`cpu,cpuacct`)."""
        return tuple(dict.fromkeys(self.v1.values()))

    @property
    def points(self) -> tuple[Path, ...]:
        """Every mount point, v1 before unified: Mesos and runc look for processes in the v1 freezer first."""
        return self.v1_points if self.unified is None else (*self.v1_points, self.unified)

    @property
    def witnesses(self) -> tuple[Path, ...]:
        """Where to look for v1 processes that the unified hierarchy has not: the freezer, or all where there is none.

        All that place processes (this package, runc, Mesos's launcher) place them in the freezer above all; to look
        into every hierarchy of a large subtree takes longer than its processes take to die.
        """
        return (self.v1["freezer"],) if "freezer" in self.v1 else self.v1_points

    def controllers(self, point: Path) -> frozenset[str]:
        """What is mounted in v1 at this mount point; empty for the unified one."""
        return frozenset(name for name, mounted in self.v1.items() if mounted == point)

    def only(self, controller: str) -> Hierarchies:
        """The part that sets this controller: a group here says nothing about its processes' other v1 groups."""
        point = self.v1.get(controller)
        if point is None:
            return self
        return Hierarchies({name: mounted for name, mounted in self.v1.items() if mounted == point})

    def home(self, controller: str) -> tuple[Path, Mode] | None:
        """The mount point whose files set this controller, and their dialect (V1 or V2); None if there is neither.

        Whether a cgroup2 hierarchy really has the controller is known per directory only, by its files. `controller` is
        its name in v2.
        """
        if (point := self.v1.get(V1_NAMES.get(controller, controller))) is not None:
            return point, Mode.V1
        return None if self.unified is None else (self.unified, Mode.V2)


@dataclass(frozen=True)
class _Mount:
    id: int
    parent: int
    root: str
    point: str
    type: str
    options: tuple[str, ...]


def parse_mountinfo(text: str) -> Hierarchies:
    """The hierarchies in the text of /proc/<pid>/mountinfo (proc(5)). Raises CgroupError (ENODEV) if none is usable.

    A mount's name may have any character; the kernel writes those that end a field or a line as \\ooo.
    """
    mounts = [_parse_line(line) for line in text.split("\n") if line]
    v1: dict[str, Path] = {}
    unified: Path | None = None
    for mount in _visible(mounts):
        if mount.root != "/":
            continue
        if mount.type == "cgroup2":
            unified = unified or Path(mount.point)
        elif mount.type == "cgroup":
            for controller in mount.options:
                v1.setdefault(controller, Path(mount.point))
    if unified is None and not v1:
        raise CgroupError(
            errno.ENODEV,
            "no cgroup hierarchy is mounted here",
            path="/sys/fs/cgroup",
            hint="mount -t cgroup2 none there",
        )
    return Hierarchies(v1, unified)


def parse_membership(content: bytes) -> dict[str, str]:
    """Controller (or `name=...`; empty for cgroup2) to path, from what is in /proc/<pid>/cgroup (cgroups(7)).

    A group's name may contain every character that a file's name may.
    """
    paths: dict[str, str] = {}
    for line in filter(None, os.fsdecode(content).split("\n")):
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _parse_line(line: str) -> _Mount:
    left, _, right = line.partition(" - ")
    number, parent, _, root, point, *_ = left.split(" ")
    kind, _, options = right.split(" ", 2)
    names = tuple(o for o in options.split(",") if o not in _NOT_CONTROLLERS and not o.startswith("release_agent="))
    return _Mount(int(number), int(parent), _unquoted(root), _unquoted(point), kind, names)


def _unquoted(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _visible(mounts: list[_Mount]) -> Iterable[_Mount]:
    """The cgroup mounts that a path lookup reaches: none stacked on them or on a directory above them."""
    by_id = {mount.id: mount for mount in mounts}
    for mount in mounts:
        if mount.type.startswith("cgroup"):
            line = _lineage(mount, by_id)
            if not any(_hides(other, mount, line) for other in mounts):
                yield mount


def _lineage(mount: _Mount, by_id: Mapping[int, _Mount]) -> set[int]:
    line = {mount.id}
    while mount.parent in by_id and mount.parent not in line:
        mount = by_id[mount.parent]
        line.add(mount.id)
    return line


def _hides(other: _Mount, mount: _Mount, line: set[int]) -> bool:
    below = mount.point == other.point or mount.point.startswith(other.point.rstrip("/") + "/")
    return below and other.id not in line and other.parent in line
