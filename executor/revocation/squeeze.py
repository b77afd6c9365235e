"""Limits on what the revocable pods use together, for as long as there is pressure. Owns those limits.

CPU is a quota. On v2, and where no pod below has a quota of its own, it stands on the class's group, and the pods share
it as they can. On v1 the kernel refuses a group more than its parent has (kernel/sched/core.c,
`tg_cfs_schedulable_down`), and with that the start of a container: there each container gets its pod's share instead,
and a container that comes later is limited with the next change. Memory is `memory.high`, on v1 the soft limit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cgroups import UNLIMITED, Cgroup, CgroupNotFound, Limits, Mode
from executor.names import PodClass
from executor.spec.model import ContainerKind

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.revocation.pod import Pod
    from executor.spec.model import ContainerSpec, PodSpec

Ceiling = Callable[[str], float | None]
"""The cpus that a role may use on this node; None: it has no limit."""


class SqueezedPods:
    """`pods` are those that live, of both classes."""

    def __init__(self, tree: Tree, pods: Iterable[Pod], ceiling: Ceiling) -> None:
        self._tree = tree
        self._pods = pods
        self._ceiling = ceiling
        self._cpus: float | None = None
        self._apart = False

    def limit_cpus(self, cpus: float | None) -> None:
        """None: no limit. Idempotent. Raises CgroupError; what was not refused holds."""
        self._cpus = cpus
        self._limit_cpus()

    def limit_memory(self, high_bytes: int | None) -> None:
        """The same. v2 takes memory back in this very call: not in the event loop, if it is a limit."""
        self._group.apply(Limits(memory_high_bytes=UNLIMITED if high_bytes is None else high_bytes))

    def pods_changed(self) -> None:
        """A pod is about to come, which must be able to start with its own quota, or has gone. Raises CgroupError."""
        if self._cpus is not None:
            self._limit_cpus()

    @property
    def _group(self) -> Cgroup:
        return self._tree.subtree(PodClass.REVOCABLE)

    def _limit_cpus(self) -> None:
        apart = self._cpus is not None and self._must_be_apart()
        if apart:
            self._group.apply(Limits(cpu_quota_cores=UNLIMITED))
        if apart or self._apart:
            self._limit_containers(self._cpus if apart else None)
        if not apart:
            self._group.apply(Limits(cpu_quota_cores=UNLIMITED if self._cpus is None else self._cpus))
        self._apart = apart

    def _must_be_apart(self) -> bool:
        home = self._tree.hierarchies.home("cpu")
        if home is None or home[1] is Mode.V2:
            return False
        return any(self._bounds(pod.spec, each) for pod in self._revocable() for each in pod.spec.containers)

    def _limit_containers(self, cpus: float | None) -> None:
        """Divide `cpus` by what the pods hold; None: each has its own limit again, if any."""
        pods = self._revocable()
        held = sum(pod.spec.resources.cpus for pod in pods)
        for pod in pods:
            spec, containers = pod.spec, pod.spec.containers
            beside = sum(each.kind is not ContainerKind.INIT for each in containers)
            for container in containers:
                quota_cores = UNLIMITED if container.limits.cpus is None else container.limits.cpus
                if cpus is not None:
                    share = cpus * (spec.resources.cpus / held if held else 1 / len(pods)) / beside
                    quota_cores = min([share, *self._bounds(spec, container)])
                cgroup = self._tree.container(spec.pod_class, spec.role, pod.id, container.name)
                with contextlib.suppress(CgroupNotFound):  # not started yet, or ended
                    cgroup.apply(Limits(cpu_quota_cores=quota_cores))

    def _bounds(self, spec: PodSpec, container: ContainerSpec) -> list[float]:
        """Quotas that hold for the container whether it is squeezed or not."""
        return [cpus for cpus in (container.limits.cpus, self._ceiling(spec.role)) if cpus is not None]

    def _revocable(self) -> list[Pod]:
        return [pod for pod in self._pods if pod.spec.pod_class is PodClass.REVOCABLE]
