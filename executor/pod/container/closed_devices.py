"""Keeps devices of the node closed to a container, also those that its runtime allows.

The OCI document does not allow them. crun allows both to every container, against the document (`default_devices` in
its src/libcrun/cgroup-resources.c), runc the second one (`AllowedDevices` in its libcontainer/specconv/spec_linux.go).
Root with MKNOD, or an image, makes a node of them. A container gets its rules when its task is made, and they are not
written again: a restart makes another task, an exec joins the group, and a resize writes no devices.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from cgroups import CgroupError, devices
from executor.errors import Failure
from executor.node.runtime_choice import allows_the_console
from executor.oci import host_devices

if TYPE_CHECKING:
    from cgroups.devices import CharacterDevice
    from executor.names import PodId
    from executor.pod.node import Node
    from executor.spec.model import ContainerSpec, PodSpec

CLOSED: Final = {devices.CONSOLE: "the console", devices.TUN: "/dev/net/tun"}
"""With their names for messages."""
_HINT = '[containerd] runtime = "runc", which keeps the console closed itself'


async def close(node: Node, pod: PodId, spec: PodSpec, container: ContainerSpec) -> None:
    """For a container that was just made and not started. Not to one that may open them: a privileged one, or one that
    has the device mounted because its role's policy lists it. Raises Failure; but what runc allows stays open where it
    cannot be closed.
    """
    closed = closed_to(spec, container)
    if not closed:
        return
    group = node.tree.container(spec.pod_class, spec.role, pod, container.name)
    try:
        await asyncio.to_thread(devices.close, group, closed)
    except CgroupError as error:
        if not allows_the_console(node.runtimes[spec.pod_class]):
            return
        names = " and ".join(f"{CLOSED[each]} ({each.major}:{each.minor})" for each in closed)
        text = f"the node's devices {names} cannot be closed to it: {error}"
        raise Failure(text, subject=f"container {container.name}", hint=_HINT) from error


def closed_to(spec: PodSpec, container: ContainerSpec) -> tuple[CharacterDevice, ...]:
    """The devices of CLOSED that it may not open."""
    if container.security.privileged:
        return ()
    found = (each.device for each in host_devices.granted(spec, container))
    granted = {(device.major, device.minor) for device in found if device.type == "c"}
    return tuple(each for each in CLOSED if (each.major, each.minor) not in granted)
