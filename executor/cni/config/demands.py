"""Fitting a network to what a request demands of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from types import MappingProxyType

from executor.cni.attachment import Json
from executor.cni.config.conflist import Network
from executor.cni.plugins.failure import INSTALL
from executor.errors import InvalidConfig

CHAINED: MappingProxyType[str, Json] = MappingProxyType(
    {
        "portMappings": {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}},
        "bandwidth": {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    }
)
"""The plugin to append to a derived list for a capability."""

_TAKES_MAC = ("bridge", "macvlan")
_TAKES_IPS = ("host-local", "static")


def fitted(network: Network, wanted: Collection[str], installed: Callable[[str], bool]) -> Network:
    """The network with what a request needs: a derived list gets portmap and bandwidth appended, and capabilities
    declared that its plugins are known to have. Raises InvalidConfig if a demand stays unmet.
    """
    for capability in wanted:
        if network.demand_met(capability):
            continue
        if not network.derived:
            raise InvalidConfig(
                f"no plugin of network {network.name} declares the capability {capability}",
                subject=network.file,
                hint=f'add a plugin with "capabilities": {{"{capability}": true}}, or do not ask for it',
            )
        network = _extended(network, capability, installed)
    return network


def _extended(network: Network, capability: str, installed: Callable[[str], bool]) -> Network:
    if capability in CHAINED:
        chained = CHAINED[capability]
        if not installed(chained["type"]):
            raise InvalidConfig(
                f"network {network.name} needs the plugin {chained['type']} for {capability}, which is not installed",
                subject=network.file,
                hint=INSTALL,
            )
        # portmap 1.1.1 fails CHECK of a pod without IPv6 (containernetworking/plugins portmap's checkPorts).
        disable_check = network.disable_check or chained["type"] == "portmap"
        return replace(network, plugins=(*network.plugins, chained), disable_check=disable_check)
    main = network.plugins[0]
    if not _takes(capability, main):
        hint = f'use a CNI list whose plugin declares "capabilities": {{"{capability}": true}}'
        raise InvalidConfig(f"plugin {main['type']} cannot take a pod's {capability}", subject=network.file, hint=hint)
    main = {**main, "capabilities": {**(main.get("capabilities") or {}), capability: True}}
    return replace(network, plugins=(main, *network.plugins[1:]))


def _takes(capability: str, plugin: Json) -> bool:
    """Whether this interface plugin, or its IPAM plugin, is known to take the capability."""
    if capability == "mac":
        return plugin.get("type") in _TAKES_MAC
    return capability == "ips" and (plugin.get("ipam") or {}).get("type") in _TAKES_IPS
