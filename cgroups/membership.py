"""Where a process is, in each hierarchy: they may differ on v1, and a process that was moved can be put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cgroups.files import Directory
from cgroups.mounts import Hierarchies, parse_membership

UNIFIED = ""
"""The name of cgroup2 in /proc/<pid>/cgroup."""


@dataclass(frozen=True)
class Membership:
    """`paths`: controller (or `name=...`; empty for cgroup2) to the path of the group."""

    pid: int
    paths: Mapping[str, str]

    @classmethod
    def of(cls, pid: int) -> Membership:
        """Raises FileNotFoundError if the process is gone."""
        return cls(pid, parse_membership(Path(f"/proc/{pid}/cgroup").read_bytes()))

    def rejoin(self, hierarchies: Hierarchies) -> None:
        """Moves the process back to where it was. Raises CgroupError if a group is gone, or holds controllers on v2."""
        homes = dict(hierarchies.v1)
        if hierarchies.unified is not None:
            homes[UNIFIED] = hierarchies.unified
        for name, point in homes.items():
            if name in self.paths:
                with Directory.open(point, self.paths[name]) as directory:
                    directory.write("cgroup.procs", str(self.pid))

    def elsewhere(self, hierarchies: Hierarchies, path: str) -> Hierarchies:
        """Those hierarchies in which the process is neither in the group `path` nor below it."""

        def outside(name: str) -> bool:
            return not f"{self.paths.get(name, '')}/".startswith(f"{path}/")

        v1 = {name: point for name, point in hierarchies.v1.items() if outside(name)}
        return Hierarchies(v1, hierarchies.unified if outside(UNIFIED) else None)
