"""From a pod's specification to what its network attachments are asked for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from executor.cni.attachment import Attachment, NetworkRequest, PortMapping
from executor.pod.spec import PodSpec


def requests(spec: PodSpec, default_network: str) -> tuple[NetworkRequest, ...]:
    """eth0 and up, in the order of the pod's networks; host ports go to the first. Empty: the executor's own
    namespace.
    """
    if spec.host_network:
        return ()
    wishes = [(wish.name, wish.network_info) for wish in spec.networks]
    if not wishes and default_network:
        wishes = [(default_network, {"name": default_network})]
    mappings = tuple(
        PortMapping(
            host_port=port.host_port,
            container_port=port.container_port,
            protocol=port.protocol.lower(),
            host_ip=port.host_ip,
        )
        for port in spec.host_ports
    )
    return tuple(
        NetworkRequest(
            network=name, ifname=f"eth{number}", network_info=info, port_mappings=mappings if number == 0 else ()
        )
        for number, (name, info) in enumerate(wishes)
    )


def network_infos(
    asked: Sequence[NetworkRequest], attachments: Sequence[Attachment], node_ip: str
) -> list[dict[str, Any]]:
    """Mesos v1 NetworkInfos for a status update: names, labels and addresses; the node's address for a pod on the
    executor's network.
    """
    if not asked:
        return [{"ip_addresses": [_address(node_ip)]}] if node_ip else []
    addresses = {attachment.ifname: attachment.ips for attachment in attachments}
    infos = []
    for request in asked:
        ips = addresses.get(request.ifname, ())
        infos.append({**request.network_info, "ip_addresses": [_address(ip.split("/")[0]) for ip in ips]})
    return infos


def _address(ip: str) -> dict[str, str]:
    return {"protocol": "IPv6" if ":" in ip else "IPv4", "ip_address": ip}
