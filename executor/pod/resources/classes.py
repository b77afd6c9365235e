"""The class subtrees' limits follow the pods that are in them. Owns the pods' and classes' cgroup directories and
limits.

The memory limit of the revocable subtree is the sum of its pods, so that an OOM in it stays in it; its CPU weight is
the least there is. Before a pod comes the limits grow, after it went they shrink: no pod ever meets a limit that is
not yet its own. No other part waits for the kernel meanwhile: to lower a limit it must first take back the page cache
that pods left behind, a gigabyte in a second or so, and that happens in a thread and piece by piece.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cgroups import UNLIMITED, Cgroup, CgroupBusy, CgroupError, CgroupNotFound, Limits, Mode, qos
from executor.concurrency import to_the_end
from executor.config.role_limit import RoleLimit
from executor.log import get_logger
from executor.names import PodClass, PodId
from executor.node.reaping.groups import protect_parents
from executor.spec import roles

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.spec.model import PodSpec

log = get_logger(__name__)

PIECE_BYTES = 256 << 20
"""How much is taken back before a pod that is to come gets its turn."""


class Classes:
    def __init__(
        self,
        tree: Tree,
        *,
        pids_max: int = 0,
        role_limits: Mapping[str, RoleLimit] = MappingProxyType({}),
    ) -> None:
        """`pids_max`: how many processes and threads a pod may have, so that one that only forks harms itself; 0: no
        limit. `role_limits`: [roles] limits.
        """
        self._role_limits = role_limits
        self._pids_max = pids_max or UNLIMITED
        self._tree = tree
        self._pods: dict[PodId, PodSpec] = {}
        self._turn = {pod_class: asyncio.Lock() for pod_class in PodClass}
        """Held while the limits of a class are written."""
        self._in_force: dict[PodClass, int | None] = {}
        """The memory limit of each class; None, UNLIMITED: it has none."""
        self._kept: set[PodClass] = set()
        self._protected: dict[str, int] = {}
        """`memory.min` in force, by the path of the group."""
        self._starting = Counter[PodId]()
        """How many starts of each pod are under way."""

    async def admit(self, pod: PodId, spec: PodSpec) -> None:
        """The pod's cgroup with its limits, in a class subtree that has room for it. Raises CgroupError."""
        self._pods[pod] = spec
        await self._limit(spec.pod_class)
        group = self._tree.ensure_pod(spec.pod_class, spec.role, pod)
        self._limit_roles(spec)
        starting = self._starting[pod] > 0
        limits = qos.pod_limits(spec.resources.cpus, spec.resources.mem_bytes, starting=starting)
        group.apply(replace(limits, pids_max=self._pids_max))
        self._protect()

    @contextmanager
    def starting(self, pod: PodId, spec: PodSpec) -> Iterator[None]:
        """A revocable pod weighs `qos.STARTING_WEIGHT` among those of its class in the block, and its own weight after
        it: a start does not share the class's CPU with the pods that work. No regular pod notices, for the class weighs
        as little as ever.
        """
        if spec.pod_class is PodClass.REGULAR:
            yield
            return
        self._starting[pod] += 1
        if pod in self._pods:
            self._weigh(pod, spec, qos.STARTING_WEIGHT)
        try:
            yield
        finally:
            self._starting[pod] -= 1
            if not self._starting[pod]:
                del self._starting[pod]
                self._weigh(pod, spec, qos.weight(spec.resources.cpus), instead_of=qos.STARTING_WEIGHT)

    def _weigh(self, pod: PodId, spec: PodSpec, weight: int, *, instead_of: int | None = None) -> None:
        """`instead_of`: only if it has this weight, for a revocation gives its victims the least."""
        group = self._tree.pod(spec.pod_class, spec.role, pod)
        try:
            if instead_of is None or group.cpu_weight() == instead_of:
                group.apply(Limits(cpu_weight=weight))
        except CgroupNotFound:
            return  # it has not come yet, or has gone
        except CgroupError as error:  # the start goes on, only slower
            log.warning("could not change a weight", code="cgroup.refused", cgroup=group.path, error=str(error))

    async def release(self, pod: PodId) -> None:
        """The pod's cgroup goes, and its share of the class. Idempotent. Raises CgroupError when something still
        lives there.
        """
        spec = self._pods.get(pod)
        if spec is None:
            return
        self._tree.destroy_pod(spec.pod_class, spec.role, pod)
        del self._pods[pod]
        self._protect()
        await self._limit(spec.pod_class)

    def _protect(self) -> None:
        """Protect what regular pods hold in every group from the executor's root down to theirs, and in those above it
        that executors made. v1 has no such protection. Raises CgroupError.
        """
        home = self._tree.hierarchies.home("memory")
        if home is None or home[1] is not Mode.V2:
            return
        regular = {
            self._tree.pod(spec.pod_class, spec.role, pod).path: spec.resources.mem_bytes
            for pod, spec in self._pods.items()
            if spec.pod_class is PodClass.REGULAR
        }
        wanted = qos.protections(self._tree.root_path, regular)
        wanted = dict.fromkeys((self._tree.pods.path, self._tree.subtree(PodClass.REGULAR).path), 0) | wanted
        for path, mem_bytes in wanted.items():
            group = Cgroup(self._tree.hierarchies, path)
            if self._protected.get(path) != mem_bytes and group.exists():  # a pod that is to come has none
                group.apply(Limits(memory_min_bytes=mem_bytes))
                self._protected[path] = mem_bytes
        self._protected = {path: held for path, held in self._protected.items() if path in wanted}
        protect_parents(home[0], self._tree.root_path)

    def _limit_roles(self, spec: PodSpec) -> None:
        """A role's groups come with its first pod and go with its last one."""
        for role, limit in roles.effective(self._role_limits, spec.role):
            cpus = UNLIMITED if limit.cpus is None else limit.cpus
            mem_bytes = UNLIMITED if limit.mem_bytes is None else limit.mem_bytes
            group = self._tree.role(spec.pod_class, role)
            group.apply(Limits(cpu_quota_cores=cpus, memory_max_bytes=mem_bytes))

    async def _limit(self, pod_class: PodClass) -> None:
        """To what its pods may use together: up at once, down piece by piece. Raises CgroupError.

        What is held of pods that went, such as files in memory, cannot be taken back: then the limit stays until the
        next pod comes or goes.
        """
        while True:
            async with self._turn[pod_class]:
                wanted = self._limits(pod_class)
                if not _is_lower(wanted.memory_max_bytes, self._in_force.get(pod_class)):
                    self._apply(pod_class, wanted)
                    return
                used_bytes = self._tree.subtree(pod_class).memory_bytes() or 0
                piece_bytes = max(wanted.memory_max_bytes or 0, used_bytes - PIECE_BYTES)
                try:
                    piece = replace(wanted, memory_max_bytes=piece_bytes)
                    await to_the_end(asyncio.to_thread(self._apply, pod_class, piece))
                except CgroupBusy as error:
                    self._apply(pod_class, replace(wanted, memory_max_bytes=None))
                    self._say_kept(pod_class, error)
                    return
                self._kept.discard(pod_class)
            if piece_bytes == wanted.memory_max_bytes:
                return

    def _apply(self, pod_class: PodClass, limits: Limits) -> None:
        self._tree.subtree(pod_class).apply(limits)
        if limits.memory_max_bytes is not None:
            self._in_force[pod_class] = limits.memory_max_bytes

    def _say_kept(self, pod_class: PodClass, error: CgroupBusy) -> None:
        """Once until it works again: it is tried for each pod."""
        if pod_class not in self._kept:
            self._kept.add(pod_class)
            log.warning("a class keeps a limit that is too high", code="cgroup.limit_kept", error=str(error))

    def _limits(self, pod_class: PodClass) -> Limits:
        members = [spec.resources for spec in self._pods.values() if spec.pod_class is pod_class]
        cpus = sum(resources.cpus for resources in members)
        mem_bytes = sum(resources.mem_bytes for resources in members)
        return qos.class_limits(pod_class, cpus, mem_bytes)


def _is_lower(wanted_bytes: int | None, now_bytes: int | None) -> bool:
    if wanted_bytes in (None, UNLIMITED):
        return False
    return now_bytes in (None, UNLIMITED) or (wanted_bytes or 0) < (now_bytes or 0)
