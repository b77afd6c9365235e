"""The marks of an executor in the node's directories, made at its start, and the last look of a clean end.

Once its lock file is gone, nothing proves whose the things are that carry an executor's name. So a clean end looks
whether anything is left; if so the file stays, and a reaper releases the rest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from executor.errors import ExecutorError, Failure, reason
from executor.log import get_logger
from executor.names import OWNER_LABEL
from executor.node import owner_marks
from executor.node.claims import Claim, cni_parent, netns_parent, volumes_parent

if TYPE_CHECKING:
    from executor.config import Config
    from executor.containerd import Containerd
    from executor.names import MesosContainerId

log = get_logger(__name__)

LOOK_S = 3.0
"""How long containerd may take to say what is left: less than the grace that Mesos gives by default (5 s)."""


@dataclass(frozen=True)
class Leaving:
    config: Config
    container: MesosContainerId
    claim: Claim

    @property
    def _directories(self) -> tuple[Path, ...]:
        run_dir, state_dir = self.config.node.run_dir, self.config.node.state_dir
        parents = (netns_parent(run_dir), volumes_parent(run_dir), cni_parent(state_dir))
        return tuple(parent / self.container for parent in parents)

    def mark(self) -> None:
        """Before anything else is made in them. Raises Failure."""
        for directory in self._directories:
            try:
                owner_marks.put(directory, self.claim.identity)
            except OSError as error:
                hint = "are [node] run_dir and state_dir writable?"
                raise Failure(reason(error), subject=str(directory), hint=hint) from error

    async def leave(self, containerd: Containerd) -> None:
        """Remove the marks, unless something is left that needs them."""
        try:
            async with asyncio.timeout(LOOK_S):
                left = await self._records(containerd)
            for directory in self._directories:
                owner_marks.remove(directory)
            self._remove_names()
        except (ExecutorError, OSError, TimeoutError) as error:
            left = str(error) or "containerd does not answer"
        if left:
            self.claim.keep()
            log.warning("something is left on the node", code="executor.left_overs", error=left)

    async def _records(self, containerd: Containerd) -> str:
        """What containerd still has, in words; leases are ended."""
        label = {OWNER_LABEL: self.container}
        for lease in await containerd.leases.list(label):
            await containerd.leases.delete(lease.id)
        containers = [each.id for each in await containerd.containers.list(label)]
        snapshots = [each.key for each in await containerd.snapshots.list(label)]
        return ", ".join([*(f"container {each}" for each in containers), *(f"snapshot {each}" for each in snapshots)])

    def _remove_names(self) -> None:
        from executor.dns import remove_owner

        remove_owner(Path(self.config.dns.hosts_dir), self.container)
