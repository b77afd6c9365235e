"""The ledger of host-local: which container holds which address. Read only; its entries are the plugin's.

`<dataDir>/<network>/<address>` holds the container's id and the interface, one a line
(containernetworking-plugins, plugins/ipam/host-local/backend/disk). The Mesos agent's tasks and our pods share it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from executor.cni.config.conflist import HOST_LOCAL_DEFAULT, Network
from executor.errors import NetworkFailure, reason
from executor.names import is_pod_id


@dataclass(frozen=True)
class Entry:
    network: str
    address: str
    container_id: str
    ifname: str
    path: Path

    @property
    def is_ours(self) -> bool:
        """Whether its container id is that of a pod of some executor; else of a Mesos task or another runtime."""
        return is_pod_id(self.container_id)


def entries(networks: Iterable[Network]) -> list[Entry]:
    """Every address that is given out in these networks, in order. Raises NetworkFailure for an unreadable ledger."""
    return [entry for network in networks for entry in _of(network)]


def ledger(network: Network) -> Path | None:
    """Where the addresses of a network are written down; None if host-local does not give them out."""
    for plugin in network.plugins:
        ipam = plugin.get("ipam") or {}
        if ipam.get("type") == "host-local":
            return Path(str(ipam.get("dataDir") or HOST_LOCAL_DEFAULT)) / network.name
    return None


def _of(network: Network) -> Iterator[Entry]:
    directory = ledger(network)
    if directory is None or not directory.is_dir():
        return
    try:
        paths = sorted(path for path in directory.iterdir() if is_address(path.name))
    except OSError as error:
        raise NetworkFailure(f"cannot be read: {reason(error)}", subject=str(directory), hint="run as root") from error
    for path in paths:
        try:
            lines = path.read_text(errors="replace").split()
        except FileNotFoundError:
            continue  # released meanwhile
        except OSError as error:
            raise NetworkFailure(f"cannot be read: {reason(error)}", subject=str(path), hint="run as root") from error
        yield Entry(network.name, path.name, lines[0] if lines else "", lines[1] if len(lines) > 1 else "", path)


def is_address(name: str) -> bool:
    """Whether a file is the one of an address. Beside them lie `lock` and `last_reserved_ip.<n>`."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
