"""How the containers of one pod are released: which shim serves them, and whose creation has an unknown outcome."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING

from cgroups import CgroupError
from cgroups.processes import signal_members
from executor.containerd.types import LeaseId
from executor.log import get_logger
from executor.node import shim_processes, shim_sockets
from executor.pod.release.containerd_records import Patience, Release, Subject

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.containerd import Containerd
    from executor.names import ContainerId, PodId
    from executor.node.shim_processes import Shim
    from executor.pod.release.leaks import Leak

log = get_logger(__name__)

CLEAR_S = 5.0


class PodRelease:
    """`groups` are the cgroups of the pod's containers."""

    def __init__(
        self, containerd: Containerd, pod: PodId, groups: Mapping[ContainerId, Cgroup], patience: Patience
    ) -> None:
        self._containerd = containerd
        self._pod = pod
        self._groups = dict(groups)
        self._patience = patience
        self._shims: set[Shim] = set()
        self._unsure: set[ContainerId] = set()

    def creating(self, container: ContainerId) -> None:
        """Until `created` it is unknown what there is of it."""
        self._unsure.add(container)

    def created(self, container: ContainerId, pid: int) -> None:
        """`pid` is its first process, a child of its shim."""
        shim = shim_processes.of_process(pid, self._containerd.namespace)
        if shim is not None:
            self._shims.add(shim)
            self._containerd.addresses.add(shim.address)
            self._unsure.discard(container)

    def renamed(self, before: ContainerId, now: ContainerId) -> None:
        """The container is made again with another id."""
        self._groups[now] = self._groups[before]
        self.creating(now)

    async def clear(self, container: ContainerId) -> None:
        """End what is left in the cgroup of a container whose end was reported. That it is empty `run` proves."""
        group = self._groups[container]
        with contextlib.suppress(CgroupError):
            if group.populated():
                await asyncio.to_thread(group.kill)
                await group.wait_unpopulated(CLEAR_S)

    def end_starts(self) -> None:
        """SIGKILL to the shims of a pod that is to end, and to what they run: containerd then fails the starts that are
        under way, and removes what there is.
        """
        for shim in self._find_shims():
            log.warning(
                "a shim does not start a container", code="pod.shim_killed", container=shim.container, pid=shim.pid
            )
            signal_members(shim.children, signal.SIGKILL)
            shim.kill()

    async def run(
        self,
        snapshots: Mapping[ContainerId, str],
        *,
        with_shim: bool,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> list[Leak]:
        """Release these containers, each with its snapshot; what could not be released stays, with its record.

        `with_shim`: no other container of the pod needs it. `pause` sleeps between two tries.
        """
        leaks = await Release(
            self._containerd,
            [self._subject(container, snapshot) for container, snapshot in snapshots.items()],
            shims=self._find_shims if with_shim else tuple,
            processes=lambda container: self._groups[container].pids(),
            patience=self._patience,
            pause=pause,
        ).run()
        if with_shim and not leaks:
            for address in self._containerd.addresses:
                shim_sockets.remove_dead(address, self._containerd.namespace, [self._pod])
        return leaks

    def _subject(self, container: ContainerId, snapshot: str) -> Subject:
        """A lease, which is called like the snapshot, is left only by a creation that was cut off."""
        return Subject(container, (snapshot,), (LeaseId(snapshot),) if container in self._unsure else ())

    def _find_shims(self) -> Collection[Shim]:
        """Where a creation's outcome is not known, every process of the node is looked at."""
        if not self._unsure:
            return self._shims
        return {*self._shims, *shim_processes.of_containers(self._containerd.namespace, self._groups)}
