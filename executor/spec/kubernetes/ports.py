"""The ports that a container of a Kubernetes v1 Pod declares. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.spec import checks as common
from executor.spec.kubernetes import names
from executor.spec.kubernetes.container_documents import ContainerPort as KubernetesPort
from executor.spec.model import ContainerPort
from executor.spec.reading.faults import Faults


def ports(
    listed: Sequence[KubernetesPort], resources: Resources, path: str, faults: Faults, *, host_network: bool
) -> tuple[ContainerPort, ...]:
    """A port of the node must be among the task's `resources`; in the node's network each port is one of the node."""
    named = ((f"{path}[{index}].name", port.name) for index, port in enumerate(listed) if port.name)
    faults.check(common.unique, named)
    return faults.items(lambda port, at: _port(port, resources, at, host_network=host_network), listed, path)


def _port(port: KubernetesPort, resources: Resources, path: str, *, host_network: bool) -> ContainerPort:
    faults = Faults()
    host_port = port.host_port or None
    if host_network:
        if host_port not in (None, port.container_port):
            message = "must equal containerPort on the node's network"
            faults.add(InvalidTask(message, subject=f"{path}.hostPort"))
        host_port = port.container_port
    if host_port is not None:
        field = "hostPort" if port.host_port else "containerPort"
        faults.check(common.offered, host_port, resources, f"{path}.{field}")
    if port.name:
        faults.check(names.port, port.name, f"{path}.name")
    host_ip = faults.of("", common.ip_address, port.host_ip, f"{path}.hostIP") if port.host_ip else ""
    faults.end()
    return ContainerPort(port.container_port, host_port, port.protocol, port.name, host_ip)
