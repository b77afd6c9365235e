"""From a pod's specification to the network that it is on, and what its attachments are asked for.

    network_infos, annotation   the CNI networks named there; without either the node's default network
    the name `none`             a namespace with loopback only
    spec.hostNetwork            the node's network
    neither, and no default     the executor's own namespace (executor_network.py)

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from executor.cni.attachment import Attachment, Bandwidth, Dns, NetworkRequest, PortMapping
from executor.dns.names import services
from executor.names import NO_NETWORK
from executor.spec.model import PodSpec, WantedNetwork


def requests(spec: PodSpec, default_network: str) -> tuple[NetworkRequest, ...]:
    """eth0 and up, in the order of the pod's networks; host ports and bandwidth go to the first. Empty: the pod has no
    network of its own.
    """
    if spec.host_network:
        return ()
    named = _named(spec, default_network)
    return tuple(_request(spec, number, name, wish) for number, (name, wish) in enumerate(named) if name != NO_NETWORK)


def has_loopback_only(spec: PodSpec, default_network: str) -> bool:
    """Whether the pod has a network namespace of its own and no network."""
    return not spec.host_network and set(names(spec, default_network)) == {NO_NETWORK}


def names(spec: PodSpec, default_network: str) -> list[str]:
    """The networks that the pod names, in their order; one without a name is the default."""
    return [name for name, _ in _named(spec, default_network)]


def _named(spec: PodSpec, default_network: str) -> list[tuple[str, WantedNetwork]]:
    named = [(wish.name or default_network, wish) for wish in spec.networks or (WantedNetwork(""),)]
    return [(name, wish) for name, wish in named if name]


def _request(spec: PodSpec, number: int, name: str, wish: WantedNetwork) -> NetworkRequest:
    first = number == 0
    limits = Bandwidth(spec.ingress_bits_per_s, spec.egress_bits_per_s)
    return NetworkRequest(
        network=name,
        ifname=f"eth{number}",
        network_info={**wish.network_info, "name": name},
        port_mappings=_mappings(spec) if first else (),
        bandwidth=limits if first and limits != Bandwidth() else None,
        mac=wish.mac,
        ips=wish.ips,
        aliases=tuple(dict.fromkeys([spec.hostname, *services(spec.annotations, spec.labels)])),
        dns=_dns(spec),
        pod_name=spec.name,
        pod_namespace=spec.namespace,
        pod_uid=spec.uid,
    )


def _mappings(spec: PodSpec) -> tuple[PortMapping, ...]:
    return tuple(
        PortMapping(
            host_port=port.host_port,
            container_port=port.container_port,
            protocol=port.protocol.lower(),
            host_ip=port.host_ip,
        )
        for port in spec.host_ports
    )


def _dns(spec: PodSpec) -> Dns | None:
    config = spec.dns_config
    found = Dns(nameservers=config.nameservers, search=config.searches, options=config.options)
    return None if found == Dns() else found


def network_infos(
    asked: Sequence[NetworkRequest], attachments: Sequence[Attachment], shared: Iterable[str]
) -> list[dict[str, Any]]:
    """Mesos v1 NetworkInfos for a status update: names, labels and addresses; for a pod without networks of its own the
    `shared` addresses.
    """
    if not asked:
        return [{"ip_addresses": [_address(ip) for ip in shared if ip]}]
    addresses = {attachment.ifname: attachment.ips for attachment in attachments}
    infos = []
    for request in asked:
        ips = addresses.get(request.ifname, ())
        infos.append({**request.network_info, "ip_addresses": [_address(ip.split("/")[0]) for ip in ips]})
    return infos


def _address(ip: str) -> dict[str, str]:
    return {"protocol": "IPv6" if ":" in ip else "IPv4", "ip_address": ip}
