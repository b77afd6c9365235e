"""What the kernel says about the node and this executor's revocable pods: one Sample costs some 0.3 ms.

Holds no descriptors and caches nothing but the number of CPUs. What cannot be read (a group that is gone, a kernel
without PSI) is left out of the sample.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from cgroups import Cgroup, CgroupError, Hierarchies, InvalidName, Resource, Tree
from cgroups.pressure import parse_pressure
from executor.errors import InvalidConfig
from executor.names import PodClass
from executor.node import claims as owners
from executor.revocation.readings import Sample

if TYPE_CHECKING:
    from cgroups.pressure import Stall

_PROC = Path("/proc")
_USEC = 1e-6


class Sensors:
    """`protect` are further cgroups whose waiting counts. Raises InvalidConfig for one that cannot be a group."""

    def __init__(self, tree: Tree, run_dir: Path, protect: Sequence[str] = ()) -> None:
        self.capacity_cpus = float(os.cpu_count() or 1)
        self._tree = tree
        self._run_dir = run_dir
        self._further = [_configured(tree.hierarchies, path) for path in protect]

    def protected(self) -> list[Cgroup]:
        """The regular pods of every executor on the node, and what the configuration adds; there or not."""
        roots = {self._tree.root_path, *(owner.cgroup_root for owner in owners.listed(self._run_dir))}
        return [*_regular(self._tree.hierarchies, sorted(roots - {""})), *self._further]

    def sample(self) -> Sample:
        """The node and its groups now."""
        groups = self.protected()
        memory = psutil.virtual_memory()
        revocable = self._tree.subtree(PodClass.REVOCABLE)
        return Sample(
            at_s=time.monotonic(),
            busy_s=busy_s(psutil.cpu_times()),
            revocable_s=_cpu_s(revocable) or 0.0,
            revocable_stall_s=_stall_s(revocable, Resource.CPU) or 0.0,
            protected_s=_by_path(groups, _cpu_s),
            cpu_stalls_s=_by_path(groups, lambda group: _stall_s(group, Resource.CPU)),
            memory_stalls_s=_by_path(groups, lambda group: _stall_s(group, Resource.MEMORY)),
            node_memory_stall_s=_node_memory_stall_s(),
            available_bytes=memory.available,
            total_bytes=memory.total,
            revocable_bytes=_memory_bytes(revocable),
        )


def busy_s(times: Any) -> float:
    """CPU time that was not idle, from psutil's cpu_times(); what a hypervisor took away was not idle either. The times
    of guests are contained in user and nice (proc_stat(5)).
    """
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _regular(hierarchies: Hierarchies, roots: Sequence[str]) -> Iterator[Cgroup]:
    for root in roots:
        try:
            yield Tree(hierarchies, root).subtree(PodClass.REGULAR)
        except (InvalidName, CgroupError):  # a file that was not written by an executor
            continue


def _configured(hierarchies: Hierarchies, path: str) -> Cgroup:
    try:
        return Cgroup(hierarchies, path.rstrip("/") or "/")
    except (InvalidName, CgroupError) as error:
        hint = "name cgroups below the root, such as /system.slice"
        raise InvalidConfig(str(error), subject="pressure.protect", hint=hint) from error


def _by_path(groups: Sequence[Cgroup], read: Callable[[Cgroup], float | None]) -> Mapping[str, float]:
    values = {group.path: read(group) for group in groups}
    return {path: value for path, value in values.items() if value is not None}


def _cpu_s(group: Cgroup) -> float | None:
    try:
        usec = group.cpu_usage_usec()
    except CgroupError:
        return None
    return None if usec is None else usec * _USEC


def _stall_s(group: Cgroup, resource: Resource) -> float | None:
    try:
        pressure = group.pressure(resource)
    except CgroupError:
        return None
    return None if pressure is None else pressure.some.total_usec * _USEC


def _memory_bytes(group: Cgroup) -> int:
    try:
        return group.memory_bytes() or 0
    except CgroupError:
        return 0


def _node_memory_stall_s() -> float:
    try:
        pressure = parse_pressure((_PROC / "pressure/memory").read_text())
    except OSError:  # a kernel without PSI, or psi=0
        return 0.0
    full: Stall | None = None if pressure is None else pressure.full
    return 0.0 if full is None else full.total_usec * _USEC
