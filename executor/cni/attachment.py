"""What a pod asks of a network and what it was given. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class PortMapping:
    """The node's `host_port` leads to the pod's `container_port`. An empty `host_ip`: every address of the node."""

    host_port: int
    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""


@dataclass(frozen=True)
class Bandwidth:
    """Limits in bits per second, seen from the pod; 0 is no limit."""

    ingress_bits_per_s: int = 0
    egress_bits_per_s: int = 0


@dataclass(frozen=True)
class Dns:
    """CNI's well-known DNS type. `options` as in resolv.conf: `ndots:2`."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkRequest:
    """One interface of a pod.

    `network_info` is the Mesos NetworkInfo as JSON; plugins find it where Mesos's network/cni isolator puts it, in
    `args["org.apache.mesos"]["network_info"]`. `port_mappings`, `bandwidth`, `mac` and `ips` (CIDR) are demands: a
    network whose plugins cannot serve them is refused. `aliases` and `dns` are offers: plugins that know them get
    them. `pod_name`, `pod_namespace` and `pod_uid` become CNI_ARGS.
    """

    network: str
    ifname: str = "eth0"
    network_info: Mapping[str, Any] = field(default_factory=dict)
    port_mappings: tuple[PortMapping, ...] = ()
    bandwidth: Bandwidth | None = None
    mac: str = ""
    ips: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    dns: Dns | None = None
    pod_name: str = ""
    pod_namespace: str = ""
    pod_uid: str = ""


@dataclass(frozen=True)
class Attachment:
    """One interface as the plugins made it: `ips` with prefix length, `result` as the last plugin of the chain
    printed it.
    """

    network: str
    ifname: str
    ips: tuple[str, ...] = ()
    gateway: str = ""
    mac: str = ""
    dns: Dns = field(default_factory=Dns)
    result: Json = field(default_factory=dict)
