"""The network that the executor itself is on, for the pods that have none of their own.

That is the node's, or, if the ExecutorInfo names CNI networks, a namespace that the agent has made and attached. Pods
then share it with the executor, hostNetwork still means the node's, and no pod can join a CNI network: plugins would
make its bridge where no other process is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.errors import InvalidTask
from executor.names import NO_NETWORK
from executor.pod.network.requests import has_loopback_only, names, requests

if TYPE_CHECKING:
    from executor.spec.model import PodSpec


@dataclass
class OwnNetwork:
    """`default` is the network of pods that name none; NO_NETWORK: loopback only; empty: the executor's own."""

    node_address: str
    default: str = ""
    names: tuple[str, ...] = ()
    """The executor's own CNI networks; none: the node's network."""
    ips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.ips = self.ips or (self.node_address,)

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """Learn where the framework has put the executor."""
        self.names = networks(executor_info)
        if self.names:
            self.default = ""
            self.ips = _addresses() or self.ips

    def namespace(self, spec: PodSpec) -> Path | None:
        """What a pod without networks of its own joins; None: containerd's, which is the node's."""
        return None if spec.host_network and self.names else Path(f"/proc/{os.getpid()}/ns/net")

    def addresses(self, spec: PodSpec) -> tuple[str, ...]:
        """The addresses of a pod without networks of its own."""
        return (self.node_address,) if spec.host_network else self.ips

    def check(self, spec: PodSpec) -> None:
        """Raises InvalidTask for a network that is not available where the executor is."""
        if {NO_NETWORK} < set(names(spec, self.default)):
            raise InvalidTask("none is named beside networks", subject="network_infos", hint="name none alone")
        wished = [wish.name for wish in spec.networks if wish.name]
        if self.names and wished:
            raise InvalidTask(
                f"the executor is on {', '.join(self.names)}, from where no pod can join {', '.join(wished)}",
                subject="network_infos",
                hint="name no network in the ExecutorInfo, or none for the pod, which shares the executor's then",
            )
        if has_loopback_only(spec, self.default):
            _check_alone(spec)
        elif not spec.host_network and not requests(spec, self.default):
            _check_shared(spec)


def networks(executor_info: Mapping[str, Any]) -> tuple[str, ...]:
    """The CNI networks on which the framework wants the executor itself."""
    infos = executor_info.get("container", {}).get("network_infos", ())
    return tuple(str(info["name"]) for info in infos if info.get("name"))


def _check_shared(spec: PodSpec) -> None:
    moved = [port for port in spec.host_ports if port.host_port != port.container_port]
    if moved:
        text = f"port {moved[0].container_port} cannot be mapped to port {moved[0].host_port}: the pod shares a network"
        raise InvalidTask(text, subject="hostPort", hint="use one number for both, or name a CNI network")
    if spec.ingress_bits_per_s or spec.egress_bits_per_s:
        raise InvalidTask("the pod shares a network, which is not limited for it", subject="bandwidth")


def _check_alone(spec: PodSpec) -> None:
    """A network namespace with loopback only has no way to it."""
    hint = "name a CNI network"
    if spec.host_ports:
        raise InvalidTask("the pod has no network, and no port of the node leads to it", subject="hostPort", hint=hint)
    if spec.ingress_bits_per_s or spec.egress_bits_per_s:
        raise InvalidTask("the pod has no network, whose rate could be limited", subject="bandwidth", hint=hint)


def _addresses() -> tuple[str, ...]:
    """The addresses of this process's network namespace, IPv4 first; without loopback and link-local ones."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    found = [each for name, listed in psutil.net_if_addrs().items() if name != "lo" for each in listed]
    return tuple(
        each.address
        for family in families
        for each in found
        if each.family == family and "%" not in each.address and not each.address.startswith("fe80:")
    )
