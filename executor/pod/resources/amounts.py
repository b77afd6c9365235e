"""The amounts of cpu and memory that runc gives a container's group at its start, for a group that is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cgroups import CgroupError, Limits, Mode
from executor.errors import Failure
from executor.oci import document as oci

if TYPE_CHECKING:
    from collections.abc import Callable

    from cgroups import Tree
    from executor.names import PodId
    from executor.spec.model import PodSpec


def of(pod: PodSpec, name: str, mode: Mode) -> Limits:
    """What is to be applied to the group of the container `name` in hierarchies of this mode."""
    container = next(each for each in pod.containers if each.name == name)
    cpu = oci.cpu(pod, container)
    quota_cores = cpu["quota"] / cpu["period"] if "quota" in cpu else None
    weight = _weight(cpu["shares"], mode) if "shares" in cpu else None
    return Limits(cpu_weight=weight, cpu_quota_cores=quota_cores, memory_max_bytes=container.limits.memory_bytes)


async def follow(tree: Tree, pod: PodId, name: str, made_from: PodSpec, now: Callable[[], PodSpec]) -> None:
    """Give the group of a container that was just made from one description what the description says now: a resize
    may have come meanwhile. Raises Failure.
    """
    group, mode = tree.container(made_from.pod_class, made_from.role, pod, name), tree.hierarchies.mode
    given = of(made_from, name, mode)
    while (wanted := of(now(), name, mode)) != given:
        try:
            await asyncio.to_thread(group.apply, wanted)
        except CgroupError as error:
            raise Failure(f"could not be resized: {error}", subject=f"container {name}") from error
        given = wanted


def _weight(shares: int, mode: Mode) -> int:
    """For cgroup2 as runc makes it of shares (ConvertCPUSharesToCgroupV2Value): the containers of a pod compare."""
    if mode is Mode.V2:
        return 1 + (shares - 2) * 9999 // 262142
    return min(max(round(shares * 100 / 1024), 1), 10_000)
