"""What is dangerous in configurations that can be used: found by nobody until Spark tasks or pods fail. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from executor.cni.conflist import Network
from executor.cni.version import MESOS_VERSIONS

_VOLATILE = ("/run/", "/var/run/", "/tmp/")  # noqa: S108 - recognised, not used
_HOST_LOCAL_DEFAULT = "/var/lib/cni/networks"


def warnings(networks: Sequence[Network]) -> tuple[str, ...]:
    found = [text for network in networks for text in _of_one(network)]
    found += [text for one, other in combinations(networks, 2) for text in _of_two(one, other)]
    return tuple(found)


def _of_one(network: Network) -> list[str]:
    found = []
    if network.derived and network.declared not in ("", *MESOS_VERSIONS):
        found.append(
            f"{network.file}: with cniVersion {network.declared} the IP of every Mesos task is lost without a word "
            "(the agent reads ip4 and ip6 only) and Spark executors die with UnknownHostException: set 0.2.0"
        )
    if not network.derived:
        found.append(
            f"{network.file}: the Mesos agent skips lists of plugins; its tasks join {network.name} only if a .conf "
            "with one plugin has that name too"
        )
    ipam = network.plugins[0].get("ipam") or {}
    data_dir = str(ipam.get("dataDir") or _HOST_LOCAL_DEFAULT)
    if ipam.get("type") == "host-local" and not f"{data_dir}/".startswith(_VOLATILE):
        found.append(
            f"{network.file}: host-local keeps addresses in {data_dir} over a reboot, after which nobody can release "
            "them: set dataDir below /run"
        )
    return found


def _of_two(one: Network, other: Network) -> list[str]:
    plugins = (one.plugins[0], other.plugins[0])
    bridges = [plugin.get("bridge", "cni0") for plugin in plugins if plugin.get("type") == "bridge"]
    if len(bridges) < 2 or bridges[0] != bridges[1]:
        return []
    names = f"{one.file}, {other.file}: networks {one.name} and {other.name}"
    return [f"{names} share a bridge but no pool of addresses: an address may be given out twice"]
