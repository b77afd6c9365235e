"""The cgroup in which the shims of regular pods run, with the runc processes that they start. Owns that cgroup.

A shim outlives the executor that had it started, and containerd forgets one whose start was interrupted. The reaper of
a dead executor finds its shims here. The group is in the freezer's hierarchy alone (on v2, in the only
one), so that CPU and memory of a shim stay containerd's. It is never in the Mesos container: the agent would wait for
the shim when it ends that container.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from cgroups import Cgroup, CgroupError, Hierarchies
from cgroups.attributes import LOCK, note
from executor.log import get_logger

log = get_logger(__name__)

END_S = 2.0
"""How long the shims may take to end after the last container was removed."""


class ShimGroup:
    """`path` is this executor's group, in one that holds nothing else than such groups."""

    def __init__(self, hierarchies: Hierarchies, path: str, lock: str = "") -> None:
        """`lock` says which lock is the owner's (lock_identity.py)."""
        self._lock = lock
        self.group = Cgroup(hierarchies.only("freezer"), path)
        self._all = Cgroup(self.group.hierarchies, str(Path(path).parent))

    def ensure(self) -> str:
        """The group's path, for containerd. Empty where it cannot be made: then a shim runs beside containerd.

        Call it for each pod, because containerd starts no shim in a group that was removed meanwhile.
        """
        try:
            if not self.group.exists():
                self.group.ensure()
                mark(self.group, self._lock)
        except CgroupError as error:
            log.warning("shims run beside containerd", code="cgroup.no_shims", cgroup=self.group.path, error=str(error))
            return ""
        return self.group.path

    async def remove(self) -> None:
        """The group, and the one above it if nothing else is there. Raises CgroupError while a shim lives."""
        with contextlib.suppress(CgroupError):
            await self.group.wait_unpopulated(END_S)
        self.group.destroy()
        self._all.prune()


def mark(group: Cgroup, lock: str) -> None:
    """Note on a group which lock is its owner's."""
    for point in group.hierarchies.points if lock else ():
        note(point, group.path, LOCK, lock)
