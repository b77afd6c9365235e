"""What the node's configuration gives a class of pods beside what its pods hold: CPUs, and limits on disks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError, Mode, qos
from cgroups.cpuset import parse_cpus
from cgroups.disks import disk_of
from cgroups.io import IoMax, oci
from executor.config import io_limits
from executor.errors import CgroupFailure, InvalidConfig
from executor.names import PodClass

if TYPE_CHECKING:
    from cgroups import Hierarchies, Tree
    from executor.config.cgroups import CgroupsSection

FindDisk = Callable[[str], str]
_KEYS = {"cpuset.cpus": "{}_cpus", "io.max": "{}_io_max"}
"""What of a class's limits an operator has asked for, by the file that a kernel without it does not have."""


def apply(tree: Tree, pod_class: PodClass, section: CgroupsSection, find: FindDisk = disk_of) -> None:
    """To the group of the class. Raises CgroupError, CgroupFailure for what this node cannot do, and InvalidConfig."""
    cpus = section.regular_cpus if pod_class is PodClass.REGULAR else section.revocable_cpus
    together = _limits_together(tree.hierarchies) and pod_class is PodClass.REVOCABLE
    io_max = disk_limits(section.revocable_io_max, find) if together else {}
    missing = tree.subtree(pod_class).apply(qos.class_policy(pod_class, parse_cpus(cpus), io_max))
    for file in missing:
        if file in _KEYS:
            subject = f"[cgroups] {_KEYS[file].format(pod_class)}"
            raise CgroupFailure(f"there is no {file} here", subject=subject, hint="mesos-pod-executor doctor says why")


def block_io(
    hierarchies: Hierarchies, pod_class: PodClass, section: CgroupsSection, find: FindDisk = disk_of
) -> dict[str, Any]:
    """The part of a container's OCI document that limits its use of disks: v1 has no limit for a group and those below
    it together. Raises InvalidConfig.
    """
    if pod_class is not PodClass.REVOCABLE or _limits_together(hierarchies):
        return {}
    return oci(disk_limits(section.revocable_io_max, find))


@lru_cache(maxsize=4)
def disk_limits(items: tuple[str, ...], find: FindDisk = disk_of) -> Mapping[str, IoMax]:
    """By the number of the disk. Raises InvalidConfig."""
    found: dict[str, IoMax] = {}
    for path, rates in map(io_limits.parse, items):
        try:
            disk = find(path)
        except CgroupError as error:
            raise InvalidConfig(str(error), subject="[cgroups] revocable_io_max", hint=error.hint) from error
        if disk in found:
            raise InvalidConfig(f"{path} is on a disk that has a limit already", subject="[cgroups] revocable_io_max")
        found[disk] = IoMax(**rates)
    return found


def _limits_together(hierarchies: Hierarchies) -> bool:
    home = hierarchies.home("io")
    return home is not None and home[1] is Mode.V2
