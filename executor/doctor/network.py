"""CNI: can pods and Mesos tasks share each network, are the plugins there, is any address held by nobody?

Whether a configuration is dangerous is decided by executor/cni (problems, advice); here it becomes findings, with what
only the node knows beside it: plugins, routes, the ledger of addresses.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor.cni import advice
from executor.cni.catalog import Catalog
from executor.cni.conflist import Network
from executor.cni.version import MESOS_VERSIONS
from executor.config import Config
from executor.doctor.finding import Finding, failed, passed, warned
from executor.errors import InvalidConfig
from executor.survey import Survey

_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_ROUTES = Path("/proc/net/route")
_NET = ipaddress.IPv4Network


def check(config: Config) -> list[Finding]:
    catalog = Catalog(Path(config.cni.config_dir))
    try:
        networks, problems = catalog.networks(), catalog.problems()
    except InvalidConfig as error:
        return [failed("network.configuration", str(error), error.mend)]
    return [
        *_configurations(config, networks, problems),
        *_dangers(networks),
        *_plugins(networks, [Path(each) for each in config.cni.plugin_dirs]),
        *masquerade(networks, routes(_read(_ROUTES))),
        _rules(networks),
    ]


def _configurations(config: Config, networks: Sequence[Network], problems: Sequence[InvalidConfig]) -> list[Finding]:
    found = [
        failed("network.configuration", f"{error.subject}: {error.message}", error.mend or "mend the file")
        for error in problems
    ]
    names = sorted(network.name for network in networks)
    wanted = config.cni.default_network
    if wanted and wanted not in names:
        mend = "[cni] default_network, config_dir"
        found.append(failed("network.default", f"{wanted} is not configured in {config.cni.config_dir}", mend))
    if not names and not found:
        mend = "[cni] config_dir is the agent's --network_cni_config_dir"
        return [warned("network.configuration", f"{config.cni.config_dir} has no network", mend)]
    return found or [passed("network.configuration", f"networks: {', '.join(names)}")]


def _dangers(networks: Sequence[Network]) -> list[Finding]:
    """A lost address is a failure: every Spark executor of the network dies of it."""
    losing = tuple(
        f"{network.file}: with cniVersion"
        for network in networks
        if network.derived and network.declared not in ("", *MESOS_VERSIONS)
    )
    mend = "mend the file; see packaging/doc of this program for networks that are shared with Mesos"
    found = []
    for text in advice.warnings(networks):
        lost = bool(losing) and text.startswith(losing)
        found.append((failed if lost else warned)("network.cni_version" if lost else "network.advice", text, mend))
    return found or [passed("network.advice", "pods and Mesos tasks can share every network")]


def _plugins(networks: Sequence[Network], directories: Sequence[Path]) -> list[Finding]:
    wanted = sorted({kind for network in networks for kind in network.types})
    missing = [kind for kind in wanted if not any(os.access(each / kind, os.X_OK) for each in directories)]
    where = ", ".join(map(str, directories))
    if missing:
        mend = "install containernetworking-plugins, or mend [cni] plugin_dirs"
        return [failed("network.plugins", f"{', '.join(missing)} is not in {where}", mend)]
    return [passed("network.plugins", f"{', '.join(wanted) or 'none'} needed, all in {where}")]


def masquerade(networks: Sequence[Network], via: Sequence[_NET]) -> list[Finding]:
    """Pure. `via`: what this node reaches through other hosts. Routed pods need no masquerade, and lose by it."""
    found = []
    for network in networks:
        own = [subnet for plugin in network.plugins if plugin.get("ipMasq") for subnet in _subnets(plugin)]
        peers = [str(route) for route in via for subnet in own if _is_peer(route, subnet)]
        if peers:
            text = f"{network.file}: ipMasq hides the pods' addresses from the pods behind {', '.join(peers)}"
            mend = "set ipMasq false, and masquerade at the border only what leaves the cluster"
            found.append(warned("network.masquerade", text, mend))
    return found or [passed("network.masquerade", "no network hides its addresses from routed peers")]


def _is_peer(route: _NET, subnet: _NET) -> bool:
    """Another node's part of the same private range, as routing by /24 and the like makes it."""
    near = subnet.supernet(new_prefix=min(16, subnet.prefixlen))
    return route.is_private and route != subnet and not subnet.subnet_of(route) and route.subnet_of(near)


def _subnets(plugin: dict[str, Any]) -> list[_NET]:
    ipam = plugin.get("ipam") or {}
    listed = [ipam, *(each for group in ipam.get("ranges") or () for each in group)]
    found = []
    for each in listed:
        try:
            found.append(ipaddress.IPv4Network(str(each.get("subnet", "")), strict=False))
        except ValueError:
            continue
    return found


def routes(text: str) -> list[_NET]:
    """What /proc/net/route (proc(5)) reaches through a gateway, but for the default route. Pure."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[2] != "00000000" and fields[7] != "00000000":
            address, mask = (socket.inet_ntoa(struct.pack("<I", int(fields[n], 16))) for n in (1, 7))
            found.append(ipaddress.IPv4Network(f"{address}/{mask}", strict=False))
    return found


def _rules(networks: Sequence[Network]) -> Finding:
    needed = [
        network.name
        for network in networks
        if any(plugin.get("ipMasq") or plugin.get("type") == "portmap" for plugin in network.plugins)
    ]
    if shutil.which("iptables", path=_PATH):
        return passed("network.iptables", "iptables is there")
    text = "no iptables: host ports cannot be mapped"
    if needed:
        return failed("network.iptables", f"{text}, and {', '.join(needed)} needs rules", "install iptables")
    return warned("network.iptables", text, "install iptables")


def ledger(survey: Survey) -> Finding:
    """Pure."""
    if not survey.unrecorded:
        return passed("network.ledger", f"every pod's address has a record; {survey.foreign} are of other runtimes")
    names = ", ".join(f"{entry.address} ({entry.network}, {entry.container_id})" for entry in survey.unrecorded)
    mend = "if no pod has it, remove the file of that name below host-local's dataDir"
    return warned("network.ledger", f"held by pods of which no executor has a record: {names}", mend)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
