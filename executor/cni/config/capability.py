"""What a request hands to the plugins: capability arguments and CNI_ARGS. Pure.

Source: containernetworking/cni CONVENTIONS.md ("Dynamic Plugin specific Fields", "CNI_ARGS").
"""

from __future__ import annotations

import ipaddress
import re

from executor.cni.attachment import Bandwidth, Json, NetworkRequest, PortMapping
from executor.errors import InvalidRequest

DEMANDS = ("portMappings", "bandwidth", "mac", "ips")
"""A network whose plugins do not declare one of these cannot serve a request for it; `aliases` and `dns` are offers.
"""

_IFNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_ARGS_UNSAFE = re.compile(r"[;=\s]")
_BURST_S = 0.1
_BURST_LEAST_BITS = 65536 * 8  # one segment of generic segmentation offload; less stalls tbf


def capability_args(request: NetworkRequest) -> Json:
    """Everything the request has to give; a plugin gets those that it declares."""
    every = {
        "portMappings": [_port_mapping(each) for each in request.port_mappings],
        "bandwidth": _bandwidth(request.bandwidth),
        "mac": request.mac,
        "ips": list(request.ips),
        "aliases": list(request.aliases),
        "dns": _dns(request),
    }
    return {name: value for name, value in every.items() if value}


def demanded(capabilities: Json) -> tuple[str, ...]:
    """The capabilities that the network's plugins must serve (see DEMANDS)."""
    return tuple(name for name in DEMANDS if name in capabilities)


def cni_args(request: NetworkRequest, container_id: str) -> str:
    """As kubelet's runtimes pass it; IgnoreUnknown keeps plugins from refusing keys they do not know."""
    pairs = {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": request.pod_namespace,
        "K8S_POD_NAME": request.pod_name,
        "K8S_POD_INFRA_CONTAINER_ID": container_id,
        "K8S_POD_UID": request.pod_uid,
    }
    return ";".join(f"{key}={value}" for key, value in pairs.items() if value)


def check_request(request: NetworkRequest) -> None:
    """Raises InvalidRequest for what the CNI specification or its conventions forbid."""
    if not _IFNAME.fullmatch(request.ifname):
        raise InvalidRequest("not an interface name of at most 15 characters", subject=f"ifname {request.ifname!r}")
    for text in (request.pod_name, request.pod_namespace, request.pod_uid):
        if _ARGS_UNSAFE.search(text) or not text.isprintable():
            raise InvalidRequest("cannot stand in CNI_ARGS", subject=repr(text))
    if request.mac and not _MAC.fullmatch(request.mac):
        raise InvalidRequest("not a MAC address", subject=f"mac {request.mac!r}")
    for ip in request.ips:
        _check_ip(ip)
    for mapping in request.port_mappings:
        _check_port_mapping(mapping)


def _check_ip(ip: str) -> None:
    try:
        if "%" in ip:
            raise ValueError("a zone")
        ipaddress.ip_interface(ip)
    except ValueError as error:
        raise InvalidRequest("not an address", subject=f"ip {ip!r}", hint="as in 10.1.2.3/24") from error


def _check_port_mapping(mapping: PortMapping) -> None:
    subject = f"port mapping {mapping.host_port} to {mapping.container_port}/{mapping.protocol}"
    if not (0 < mapping.host_port < 65536 and 0 < mapping.container_port < 65536):
        raise InvalidRequest("a port is a number from 1 to 65535", subject=subject)
    if mapping.protocol.lower() not in ("tcp", "udp", "sctp"):
        raise InvalidRequest("the protocol is tcp, udp or sctp", subject=subject)
    if mapping.host_ip:
        _check_ip(mapping.host_ip)


def _port_mapping(mapping: PortMapping) -> Json:
    entry: Json = {
        "hostPort": mapping.host_port,
        "containerPort": mapping.container_port,
        "protocol": mapping.protocol.lower(),
    }
    return entry | ({"hostIP": mapping.host_ip} if mapping.host_ip else {})


def _bandwidth(limits: Bandwidth | None) -> Json:
    """The bandwidth plugin wants a burst with every rate, in bits."""
    rates = {"ingress": limits.ingress_bits_per_s, "egress": limits.egress_bits_per_s} if limits else {}
    entry: Json = {}
    for direction, rate in rates.items():
        if rate:
            entry |= {f"{direction}Rate": rate, f"{direction}Burst": max(int(rate * _BURST_S), _BURST_LEAST_BITS)}
    return entry


def _dns(request: NetworkRequest) -> Json:
    if request.dns is None:
        return {}
    entry = {
        "servers": list(request.dns.nameservers),
        "searches": list(request.dns.search),
        "options": list(request.dns.options),
    }
    return {key: value for key, value in entry.items() if value}
