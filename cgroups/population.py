"""A group's path and the processes in it, in every hierarchy. What kill.py and watch.py need to know of a group."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cgroups.errors import CgroupError, CgroupNotFound
from cgroups.files import Directory, flat_keyed
from cgroups.mounts import Hierarchies
from cgroups.names import cgroup_path
from cgroups.processes import members


@dataclass(frozen=True)
class Population:
    """`path` is absolute and below the root. Raises InvalidName for anything else, CgroupError (EPERM) for the root."""

    hierarchies: Hierarchies = field(compare=False, repr=False)
    path: str

    def __post_init__(self) -> None:
        if cgroup_path(self.path) == "/":
            raise CgroupError(
                errno.EPERM, "the root group belongs to the machine", path="/", hint="name a group below it"
            )

    def pids(self, *, recursive: bool = True) -> set[int]:
        """The processes that any hierarchy has here: empty if the group does not exist."""
        return self._members(self.hierarchies.points, recursive=recursive)

    def outsiders(self, listed: set[int] | None = None) -> set[int]:
        """Processes that v1 has here (see Hierarchies.witnesses) but the unified hierarchy has not, so that
        `cgroup.kill` misses them. Right even while processes die: then they leave all hierarchies at once.

        `listed` is what v1 has here, if it was read a moment ago.
        """
        found = self.witnessed() if listed is None else listed
        if found:
            found = found - self._members(self.unified, recursive=True)
        return found and found & self.witnessed()

    def witnessed(self) -> set[int]:
        """The processes here and below that v1's witness has (see Hierarchies.witnesses)."""
        return self._members(self.hierarchies.witnesses, recursive=True)

    def listed(self) -> set[int]:
        """The processes here and below, as one hierarchy has them: v1's witness, or cgroup2 where there is no v1."""
        return self._members(self.hierarchies.witnesses or self.unified, recursive=True)

    def reached(self) -> set[int]:
        """The processes here and below that a kill of the group ends: those of cgroup2 and of v1's witness."""
        return self._members((*self.hierarchies.witnesses, *self.unified), recursive=True)

    def populated(self) -> bool:
        """Whether a process is here or below, by the unified hierarchy and v1's witness (see Hierarchies.witnesses)."""
        for directory in self.opened(self.unified):
            if flat_keyed(directory.read_optional("cgroup.events")).get("populated"):
                return True
        return bool(self.witnessed())

    @property
    def unified(self) -> tuple[Path, ...]:
        """The mount point of the unified hierarchy; none where there is none."""
        return () if self.hierarchies.unified is None else (self.hierarchies.unified,)

    def opened(self, points: Iterable[Path]) -> Iterator[Directory]:
        """The group's directory in each hierarchy that has it, open until the next one is asked for."""
        for point in points:
            try:
                directory = Directory.open(point, self.path)
            except CgroupNotFound:
                continue
            with directory:
                yield directory

    def _members(self, points: Iterable[Path], *, recursive: bool) -> set[int]:
        return set().union(*(members(directory, recursive=recursive) for directory in self.opened(points)))
