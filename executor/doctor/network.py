"""CNI: can pods and Mesos tasks share each network, are the plugins there, does each reserved address belong to a
running pod, does the kernel have what is on record?

Whether a configuration is dangerous is decided by executor/cni (problems, dangers); here it becomes findings, with what
only the node knows beside it: plugins, routes, the ledger of addresses.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from executor.cni import Cni
from executor.cni.config.catalog import Catalog
from executor.cni.config.conflist import Network
from executor.cni.config.lint import dangers, subnets
from executor.cni.records.host_local import Entry
from executor.config import Config
from executor.doctor.finding import Finding, failed, passed, warned
from executor.errors import InvalidConfig, InvalidInput, NetworkFailure, NotFound
from executor.names import NO_NETWORK
from executor.netlink.namespaces import own
from executor.netlink.requests import namespace
from executor.netlink.state import Route
from executor.node.inventory import Inventory

_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_MAIN_TABLE = 254
_NET = ipaddress.IPv4Network
_PLUGIN_DIRS = "[cni] plugin_dirs"


def check(config: Config) -> list[Finding]:
    """All that needs no plugin to be run. Raises OSError if the kernel's routes cannot be read."""
    catalog = Catalog(Path(config.cni.config_dir))
    try:
        networks, problems = catalog.networks(), catalog.problems()
    except InvalidConfig as error:
        return [failed("network.configuration", str(error), error.hint)]
    return [
        *_configurations(config, networks, problems),
        *_dangers(networks),
        *plugins(networks, [Path(each) for each in config.cni.plugin_dirs]),
        *masquerade(networks, routed(own(namespace).routes)),
        _rules(networks),
    ]


async def status(config: Config) -> list[Finding]:
    """What the plugins themselves say, where they can (CNI 1.1.0). Faulty configurations are found by `check`."""
    plugin_dirs = [Path(each) for each in config.cni.plugin_dirs]
    cni = Cni(Path(config.cni.config_dir), plugin_dirs, Path(config.node.state_dir), config.cni.timeout_s)
    found = []
    with suppress(InvalidInput):
        for name in cni.networks():
            try:
                await cni.status(name)
            except NetworkFailure as error:
                found.append(failed("network.status", f"{error.subject}: {error.message}", error.hint))
            except (InvalidInput, NotFound):
                continue
    return found or [passed("network.status", "no plugin says that it cannot attach pods")]


def _configurations(config: Config, networks: Sequence[Network], problems: Sequence[InvalidConfig]) -> list[Finding]:
    found = [
        failed("network.configuration", f"{error.subject}: {error.message}", error.hint or "correct the file")
        for error in problems
    ]
    names = sorted(network.name for network in networks)
    wanted = config.cni.default_network
    if wanted not in ("", NO_NETWORK, *names):
        hint = "[cni] default_network, config_dir"
        found.append(failed("network.default", f"{wanted} is not configured in {config.cni.config_dir}", hint))
    if not names and not found:
        hint = "[cni] config_dir is the agent's --network_cni_config_dir"
        return [warned("network.configuration", f"{config.cni.config_dir} has no network", hint)]
    return found or [passed("network.configuration", f"networks: {', '.join(names)}")]


def _dangers(networks: Sequence[Network]) -> list[Finding]:
    """Where tasks lose their addresses it is a failure: every Spark executor of the network would end."""
    found = [
        failed("network.cni_version", str(each), each.hint)
        if each.grave
        else warned("network.advice", str(each), each.hint)
        for each in dangers(networks)
    ]
    return found or [passed("network.advice", "pods and Mesos tasks can share every network")]


def plugins(
    networks: Sequence[Network], directories: Sequence[Path], check: str = "network.plugins", key: str = _PLUGIN_DIRS
) -> list[Finding]:
    """`key` is what names the directories. Looks at the file system."""
    where = ", ".join(map(str, directories))
    found = []
    for network in networks:
        missing = [kind for kind in network.types if not any(os.access(each / kind, os.X_OK) for each in directories)]
        if missing:
            text = f"{network.file} needs {', '.join(missing)}, not in {where}"
            found.append(failed(check, text, f"install containernetworking-plugins, or correct {key}"))
    return found or [passed(check, f"the plugins of every network are in {where}")]


def masquerade(networks: Sequence[Network], via: Sequence[_NET]) -> list[Finding]:
    """Pure. `via`: what this node reaches through other hosts. Routed pods need no masquerade, and lose by it."""
    found = []
    for network in networks:
        own = [subnet for plugin in network.plugins if plugin.get("ipMasq") for subnet in subnets(plugin)]
        peers = [str(route) for route in via for subnet in own if isinstance(subnet, _NET) and _is_peer(route, subnet)]
        if peers:
            text = f"{network.file}: ipMasq hides the pods' addresses from the pods behind {', '.join(peers)}"
            hint = "set ipMasq false, and masquerade at the border only what leaves the cluster"
            found.append(warned("network.masquerade", text, hint))
    return found or [passed("network.masquerade", "no network hides its addresses from routed peers")]


def _is_peer(route: _NET, subnet: _NET) -> bool:
    """Another node's part of the same private range, as routing by /24 and the like makes it."""
    near = subnet.supernet(new_prefix=min(16, subnet.prefixlen))
    return route.is_private and route != subnet and not subnet.subnet_of(route) and route.subnet_of(near)


def routed(routes: Sequence[Route]) -> list[_NET]:
    """What the main table reaches through a gateway over IPv4, but for the default route. Pure."""
    through = [each for each in routes if each.gateway and each.table == _MAIN_TABLE]
    nets = [ipaddress.ip_network(each.destination, strict=False) for each in through]
    return [net for net in nets if isinstance(net, _NET) and net.prefixlen]


def _rules(networks: Sequence[Network]) -> Finding:
    needed = [
        network.file
        for network in networks
        if any(plugin.get("ipMasq") or plugin.get("type") == "portmap" for plugin in network.plugins)
    ]
    if shutil.which("iptables", path=_PATH):
        return passed("network.iptables", "iptables is there")
    if shutil.which("nft", path=_PATH):
        text = "no iptables, but nft: CNI plugins before 1.6 cannot map host ports"
        hint = "install iptables, or see that the plugins are of 1.6 or later: `bridge` without input says its version"
        return warned("network.iptables", text, hint) if needed else passed("network.iptables", text)
    text = "no iptables and no nft: host ports cannot be mapped"
    hint = "install iptables, or for CNI plugins from 1.6 on nftables"
    if needed:
        return failed("network.iptables", f"{text}, and {', '.join(needed)} needs rules", hint)
    return warned("network.iptables", text, hint)


def ledger(inventory: Inventory, containers: Collection[str] | None) -> list[Finding]:
    """Pure. `containers` are the agent's, None if they are not known: then only pods' addresses can be judged."""
    lost = [each for each in inventory.others if containers is not None and each.container_id not in containers]
    found = [
        warned("network.ledger", f"{_entry(each)}, which is on record of {where}", _release(each))
        for entries, where in ((inventory.unrecorded, "no executor"), (lost, "neither the agent nor an executor"))
        for each in entries
    ]
    found += [warned("network.records", f"{each.subject}: {each.message}", each.hint) for each in inventory.damaged]
    if inventory.unrecorded_rules:
        names = ", ".join(inventory.unrecorded_rules)
        hint = "if no such pod runs: look for those ids in `iptables-save -t nat` and `nft -a list ruleset`, "
        hint += "and delete these rules and their chains"
        found.append(warned("network.rules", f"port or masquerade rules of pods without a record: {names}", hint))
    if inventory.erased_rules:
        names = ", ".join(inventory.erased_rules)
        hint = "its executor puts them back within seconds; if it does not, see network.rules_lost in its log"
        found.append(warned("network.rules_erased", f"port or masquerade rules are gone: {names}", hint))
    hint = "`inspect` of the pod shows what the kernel has; find what else configures links, or launch the pod again"
    found += [warned("network.kernel", text, hint) for text in inventory.altered_networks]
    if found:
        return found
    held = f"{len(inventory.others)} are of other runtimes"
    held += ", which the agent was not asked about" if containers is None and inventory.others else ""
    return [passed("network.ledger", f"every pod's address has a record; {held}")]


def _entry(entry: Entry) -> str:
    return f"{entry.path}: address {entry.address} of network {entry.network} is held by {entry.container_id}"


def _release(entry: Entry) -> str:
    return f"if nothing has the address, remove {entry.path}"
