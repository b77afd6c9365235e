"""Keeps the node's console closed to a container, whatever its runtime allows.

The OCI document does not allow it, and runc keeps to that. crun allows it to every container, against the document
(`default_devices` in its src/libcrun/cgroup-resources.c), and root with MKNOD, or an image, makes a node of it. A
container gets its rules when its task is made, and they are not written again: a restart makes another task, an exec
joins the group, and a resize writes no devices.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cgroups import CgroupError, devices
from executor.errors import Failure
from executor.node.runtime_choice import keeps_to_the_document
from executor.oci import host_devices

if TYPE_CHECKING:
    from executor.names import PodId
    from executor.pod.node import Node
    from executor.spec.model import ContainerSpec, PodSpec

_HINT = '[containerd] runtime = "runc", which keeps it closed itself'


async def close(node: Node, pod: PodId, spec: PodSpec, container: ContainerSpec) -> None:
    """For a container that was just made and not started. Not to one that may open it: a privileged one, or one that
    has it mounted because its role's policy lists it. Raises Failure.
    """
    if container.security.privileged or _is_granted(spec, container):
        return
    group = node.tree.container(spec.pod_class, spec.role, pod, container.name)
    try:
        await asyncio.to_thread(devices.close, group, devices.CONSOLE)
    except CgroupError as error:
        if keeps_to_the_document(node.runtimes[spec.pod_class]):
            return
        text = f"the node's console (character device 5:1) cannot be closed to it: {error}"
        raise Failure(text, subject=f"container {container.name}", hint=_HINT) from error


def _is_granted(spec: PodSpec, container: ContainerSpec) -> bool:
    console = ("c", devices.CONSOLE.major, devices.CONSOLE.minor)
    found = (each.device for each in host_devices.granted(spec, container))
    return any((device.type, device.major, device.minor) == console for device in found)
