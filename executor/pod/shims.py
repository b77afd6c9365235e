"""Where the shims of revocable pods run, and runc for them: on what nobody else wants of the CPU. Owns that cgroup.

Only in the cpu controller's hierarchy, so that a shim's memory stays containerd's where that can be, and never in the
Mesos container, whose end the agent could not bring about while a process is in some of its hierarchies only.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from cgroups import Cgroup, CgroupError, Hierarchies, qos
from executor.log import get_logger

log = get_logger(__name__)

END_S = 2.0
"""How long the shims may take to end after the last container was removed."""


class Shims:
    def __init__(self, hierarchies: Hierarchies, path: str) -> None:
        self.group = Cgroup(hierarchies.only("cpu"), path)

    def ensure(self) -> str:
        """The group's path, for containerd. Empty where it cannot be had: then a shim runs beside containerd.

        To be asked for each pod, for containerd starts no shim in a group that somebody has removed meanwhile.
        """
        try:
            if not self.group.exists():
                self.group.ensure()
                self.group.apply(qos.LENT_CPU)
        except CgroupError as error:
            log.warning("shims run beside containerd", code="cgroup.no_shims", cgroup=self.group.path, error=str(error))
            return ""
        return self.group.path

    async def remove(self) -> None:
        """The group, and the one above it if nothing else is there. Raises CgroupError while a shim lives."""
        with contextlib.suppress(CgroupError):
            await self.group.wait_unpopulated(END_S)
        self.group.destroy()
        Cgroup(self.group.hierarchies, str(Path(self.group.path).parent)).prune()
