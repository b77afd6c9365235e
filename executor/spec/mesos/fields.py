"""Fields of a TaskInfo that mean the same with a Kubernetes pod in its data and without. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.spec import checks as common
from executor.spec.mesos.taskinfo import NetworkInfo, TaskInfo
from executor.spec.mesos.taskinfo import PortMapping as MesosPortMapping
from executor.spec.model import PortMapping, WantedNetwork
from executor.spec.network_annotations import NETWORKS_MAX, few

_NANO = 1e9
NETWORK_INFO_MAX_BYTES = 16 * 1024
"""It is in every status of the task, too."""


def labels(info: TaskInfo) -> dict[str, str]:
    """By key; the last of a key wins."""
    return {label.key: label.value for label in info.labels.labels}


def grace_s(info: TaskInfo) -> float | None:
    """The grace period of the task's kill_policy, seconds."""
    period = info.kill_policy.grace_period
    return None if period is None else period.nanoseconds / _NANO


def deadline_s(info: TaskInfo) -> float | None:
    """The task's max_completion_time, seconds."""
    longest = info.max_completion_time
    return None if longest is None else longest.nanoseconds / _NANO


def networks(info: TaskInfo, path: str) -> tuple[WantedNetwork, ...]:
    """In order: the first is eth0. Raises InvalidTask."""
    infos = info.container.network_infos if info.container is not None else ()
    few(len(infos), NETWORKS_MAX, "networks", f"{path}.container.network_infos")
    return tuple(
        WantedNetwork(
            name=network.name,
            network_info=_as_sent(network, f"{path}.container.network_infos[{index}]"),
            ips=_wanted_ips(network, f"{path}.container.network_infos[{index}].ip_addresses"),
        )
        for index, network in enumerate(infos)
    )


def _wanted_ips(network: NetworkInfo, path: str) -> tuple[str, ...]:
    """An entry with a protocol only, which asks for any address, is what every network gives."""
    wanted = [(index, one.ip_address) for index, one in enumerate(network.ip_addresses) if one.ip_address]
    return tuple(common.ip_address(ip, f"{path}[{index}].ip_address") for index, ip in wanted)


def _as_sent(network: NetworkInfo, path: str) -> dict[str, Any]:
    text = msgspec.json.encode(network)
    if len(text) > NETWORK_INFO_MAX_BYTES:
        message = f"has {len(text)} bytes, which is more than {NETWORK_INFO_MAX_BYTES}"
        raise InvalidTask(message, subject=path, hint="it is handed to every plugin: keep it short")
    sent: dict[str, Any] = msgspec.json.decode(text)
    return {key: value for key, value in sent.items() if value}


def network_ports(info: TaskInfo, resources: Resources, path: str) -> tuple[PortMapping, ...]:
    """Port mappings of the network_infos."""
    infos = info.container.network_infos if info.container is not None else ()
    return tuple(
        port
        for index, network in enumerate(infos)
        for port in port_mappings(
            network.port_mappings, resources, f"{path}.container.network_infos[{index}].port_mappings"
        )
    )


def port_mappings(mappings: tuple[MesosPortMapping, ...], resources: Resources, path: str) -> Iterator[PortMapping]:
    """Ports of the node that lead into the pod. Raises InvalidTask."""
    for index, mapping in enumerate(mappings):
        protocol = mapping.protocol.upper()
        if protocol not in ("TCP", "UDP"):
            raise InvalidTask(f"{mapping.protocol[:20]!r} is neither tcp nor udp", subject=f"{path}[{index}].protocol")
        port = common.offered(mapping.host_port, resources, f"{path}[{index}].host_port")
        yield PortMapping(host_port=port, container_port=mapping.container_port, protocol=protocol)


def distinct(ports: tuple[PortMapping, ...], subject: str) -> tuple[PortMapping, ...]:
    """Raises if two mappings want the same port of the node."""
    common.unique((subject, f"{port.host_port}/{port.protocol.lower()}") for port in ports)
    return ports
