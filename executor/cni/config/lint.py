"""Dangers of configurations that can be used: without a check they are found when Spark tasks or pods fail. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from executor.cni.attachment import Json
from executor.cni.config.conflist import HOST_LOCAL_DEFAULT, Network
from executor.cni.config.version import MESOS_VERSIONS

_VOLATILE = ("/run/", "/var/run/", "/tmp/")  # noqa: S108 - recognised, not used
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Danger:
    """`grave`: every Mesos task of the network suffers."""

    files: tuple[str, ...]
    text: str
    hint: str
    grave: bool = False

    def __str__(self) -> str:
        return f"{', '.join(self.files)}: {self.text}"


def dangers(networks: Sequence[Network]) -> tuple[Danger, ...]:
    """Every danger of the networks, alone and beside each other."""
    found = [each for network in networks for each in _of_one(network)]
    found += [each for one, other in combinations(networks, 2) for each in _of_two(one, other)]
    return tuple(found)


def subnets(plugin: Json) -> Iterator[Subnet]:
    """Where host-local takes addresses from; what is not a subnet is left out."""
    ipam = plugin.get("ipam") or {}
    for each in [ipam, *(each for group in ipam.get("ranges") or () for each in group)]:
        try:
            yield ipaddress.ip_network(str(each.get("subnet", "")), strict=False)
        except (ValueError, AttributeError):
            continue


def _of_one(network: Network) -> Iterator[Danger]:
    agents = network if network.derived else network.beside
    if agents is not None and agents.declared not in ("", *MESOS_VERSIONS):
        yield Danger(
            (agents.file,),
            f"with cniVersion {agents.declared} the IP of every Mesos task is lost without a word (the agent reads ip4"
            " and ip6 only) and Spark executors die with UnknownHostException",
            'set "cniVersion" to 0.2.0; pods take the newest version that the plugins speak anyway',
            grave=True,
        )
    if agents is None:
        yield Danger(
            (network.file,),
            f"the Mesos agent skips lists of plugins, so its tasks cannot join {network.name}",
            "put a .conf with its first plugin beside it, of the same name and cniVersion 0.2.0",
        )
    ipam = network.plugins[0].get("ipam") or {}
    data_dir = str(ipam.get("dataDir") or HOST_LOCAL_DEFAULT)
    if ipam.get("type") == "host-local" and not f"{data_dir}/".startswith(_VOLATILE):
        yield Danger(
            (network.file,),
            f"host-local keeps addresses in {data_dir} over a reboot, after which they are never released",
            "set dataDir below /run",
        )


def _of_two(one: Network, other: Network) -> Iterator[Danger]:
    """They have different names, so host-local keeps their addresses apart, in one dataDir too."""
    files, names = (one.file, other.file), f"{one.name} and {other.name}"
    plugins = (one.plugins[0], other.plugins[0])
    bridges = [plugin.get("bridge", "cni0") for plugin in plugins if plugin.get("type") == "bridge"]
    if len(bridges) == 2 and bridges[0] == bridges[1]:
        yield Danger(
            files,
            f"networks {names} share a bridge but no pool of addresses: an address may be given out twice",
            f"give both one name, dataDir and range, as one network, or each a bridge; this is {bridges[0]}",
        )
    common = [mine for mine in subnets(plugins[0]) for its in subnets(plugins[1]) if _overlap(mine, its)]
    if common:
        yield Danger(
            files,
            f"networks {names} both give out addresses of {common[0]}",
            "give each a subnet, or both one name, dataDir and bridge, as one network",
        )


def _overlap(one: Subnet, other: Subnet) -> bool:
    return one.version == other.version and one.overlaps(other)
