"""Where the shims of revocable pods run, and runc for them: on CPU time that no other group wants, but for launches and
late ends (cpu_boost.py). Owns that cgroup.

Only in the cpu controller's hierarchy, so that a shim's memory stays containerd's where that can be, and never in the
Mesos container, which the agent could not end while a process is in some of its hierarchies only.

The group above it holds those of all executors of the node, and it is that one which competes with Mesos. While it had
a weight like any other, the 99th percentile of a regular pod's requests in a revocation of 50 pods was twice as high.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from cgroups import Cgroup, CgroupError, CgroupNotFound, Hierarchies, Limits, qos
from cgroups.cpu import WEIGHT_MIN
from executor.log import get_logger
from executor.node.shim_group import mark

log = get_logger(__name__)

END_S = 2.0
"""How long the shims may take to end after the last container was removed."""


class Shims:
    """`path` is this executor's group, in one that holds nothing else than such groups."""

    def __init__(self, hierarchies: Hierarchies, path: str, lock: str = "") -> None:
        """`lock` says which lock is the owner's (lock_identity.py)."""
        self._lock = lock
        self._limits = qos.IDLE_CPU
        self.group = Cgroup(hierarchies.only("cpu"), path)
        self._all = Cgroup(self.group.hierarchies, str(Path(path).parent))

    @property
    def path(self) -> str:
        """The path of the cgroup."""
        return self.group.path

    def ensure(self) -> str:
        """The group's path, for containerd. Empty where it cannot be made: then a shim runs beside containerd.

        To be asked for each pod, for containerd starts no shim in a group that was removed meanwhile.
        """
        try:
            if not self.group.exists():
                self.group.ensure()
                mark(self.group, self._lock)
                self._apply()
        except CgroupError as error:
            log.warning("shims run beside containerd", code="cgroup.no_shims", cgroup=self.group.path, error=str(error))
            return ""
        return self.group.path

    def apply(self, limits: Limits) -> None:
        """To this executor's shims, also if their group is made later. All executors' together weigh as little, unless
        one gives its own more: then `qos.SHIMS_CPU`. Raises CgroupError.
        """
        self._limits = limits
        if self.group.exists():
            self._apply()

    def _apply(self) -> None:
        self.group.apply(self._limits)
        self._settle()

    def _settle(self) -> None:
        applied = None
        while (due := self._due()) != applied:  # another executor may have done the same meanwhile
            self._all.apply(due)
            applied = due

    def _due(self) -> Limits:
        weights = [self._all.child(name).cpu_weight() or 0 for name in self._all.children()]
        return qos.IDLE_CPU if max(weights, default=0) <= WEIGHT_MIN else qos.SHIMS_CPU

    async def remove(self) -> None:
        """The group, and the one above it if nothing else is there. Raises CgroupError while a shim lives."""
        with contextlib.suppress(CgroupError):
            await self.group.wait_unpopulated(END_S)
        self.group.destroy()
        if not self._all.prune():
            with contextlib.suppress(CgroupNotFound):  # the last of the others went just now
                self._settle()
