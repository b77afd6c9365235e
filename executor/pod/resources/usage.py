"""What the classes and their pods use now, as `GET /v1/usage`: sums since their beginning, for two looks make a rate.

What cannot be read (a pod that is being made or removed) is null.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cgroups import CgroupError, Resource
from executor.names import PodClass
from executor.netlink.state import traffic_document

if TYPE_CHECKING:
    from cgroups import Cgroup, Tree
    from cgroups.pressure import Stall
    from executor.pod.node import Node
    from executor.pod.runner import PodRunner

_PODS_AT_ONCE: Final = 16
"""Read without letting the event loop do anything else: some 2 ms."""


async def usage(node: Node, runners: Sequence[PodRunner]) -> dict[str, Any]:
    """`at_s` is a clock for differences only, and belongs to the numbers read right after it. `network` is None for a
    pod without networks of its own.
    """
    classes = [_class(node.tree, pod_class, runners) for pod_class in PodClass]
    networks_at_s, traffic = time.monotonic(), await node.networks.traffic()
    pods = []
    for number, runner in enumerate(runners):
        if number % _PODS_AT_ONCE == _PODS_AT_ONCE - 1:
            await asyncio.sleep(0)
        counted = traffic.get(runner.id)
        network = None if counted is None else {"at_s": round(networks_at_s, 6), **traffic_document(counted)}
        pods.append({**_pod(runner), "network": network})
    return {"classes": classes, "pods": pods}


def _class(tree: Tree, pod_class: PodClass, runners: Sequence[PodRunner]) -> dict[str, Any]:
    members = [runner.spec.resources for runner in runners if runner.spec.pod_class is pod_class]
    group = tree.subtree(pod_class)
    return {
        "class": str(pod_class),
        "pods": len(members),
        "cpus": round(sum(each.cpus for each in members), 3),
        "mem_bytes": sum(each.mem_bytes for each in members),
        **_used(group),
        "pressure": {str(resource): _pressure(group, resource) for resource in Resource},
    }


def _pod(runner: PodRunner) -> dict[str, Any]:
    spec = runner.spec
    return {
        "pod": runner.id,
        "name": spec.name,
        "namespace": spec.namespace,
        "class": str(spec.pod_class),
        "role": spec.role,
        "state": str(runner.pod.state),
        "cpus": spec.resources.cpus,
        "mem_bytes": spec.resources.mem_bytes,
        **_used(runner.sandbox.cgroup),
    }


def _used(group: Cgroup) -> dict[str, Any]:
    at_s = time.monotonic()
    try:
        usec, size_bytes = group.cpu_usage_usec(), group.memory_bytes()
    except CgroupError:
        usec = size_bytes = None
    return {"at_s": round(at_s, 6), "cpu_usage_usec": usec, "memory_bytes": size_bytes}


def _pressure(group: Cgroup, resource: Resource) -> dict[str, Any] | None:
    try:
        pressure = group.pressure(resource)
    except CgroupError:
        return None
    if pressure is None:
        return None
    return {"some": _stall(pressure.some), "full": None if pressure.full is None else _stall(pressure.full)}


def _stall(stall: Stall) -> dict[str, Any]:
    return {"avg10": stall.avg10, "avg60": stall.avg60, "avg300": stall.avg300, "total_usec": stall.total_usec}


def freed_bytes(runner: PodRunner) -> int:
    """What a pod's end has given back: in use before it, less what is in use still, for files may stay in memory."""
    try:
        left_bytes = runner.sandbox.cgroup.memory_bytes() or 0
    except CgroupError:
        left_bytes = 0
    return max(0, runner.used_bytes - left_bytes)
