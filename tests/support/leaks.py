"""What is left on a node, by kind: for the end of a test, and for the demo's last line. Reads only.

Looks at the node itself and shares no code with what might leak. Kinds that need a client (containers, snapshots) are
added by the caller: `look(..., extra={"containers": names})`. In a private node everything found is a leak; elsewhere
`since` subtracts what was there before.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support import cgroupdirs

_OF_ONE_CONTAINER = re.compile(r"CNI-(DN-|SN-)?[0-9a-f]{5,}|-A CNI-FORWARD -[sd] ")
"""Chains and rules of bridge, portmap and firewall. Their common chains (CNI-HOSTPORT-*, CNI-ADMIN) stay by design."""


@dataclass(frozen=True)
class Leaks:
    found: Mapping[str, tuple[str, ...]]

    def counts(self) -> dict[str, int]:
        return {kind: len(names) for kind, names in self.found.items()}

    def since(self, before: Self) -> Leaks:
        kinds = self.found.items()
        return Leaks({kind: tuple(sorted(set(names) - set(before.found.get(kind, ())))) for kind, names in kinds})

    def __bool__(self) -> bool:
        return any(self.found.values())

    def __str__(self) -> str:
        return (
            "; ".join(f"{kind}: {', '.join(names)}" for kind, names in self.found.items() if names) or "nothing is left"
        )


def look(
    *,
    cgroup: str | None = None,
    netns_dirs: Sequence[Path] = (Path("/run/netns"),),
    ipam_dirs: Sequence[Path] = (Path("/var/lib/cni/networks"),),
    process_marker: str | None = None,
    extra: Mapping[str, Callable[[], Iterable[str]]] | None = None,
) -> Leaks:
    """`cgroup` counts all below that name, itself included; `process_marker` is text in a process's environment."""
    kinds: dict[str, Callable[[], Iterable[str]]] = {
        "netns": lambda: _entries(netns_dirs),
        "veths": veths,
        "iptables": firewall_rules,
        "ips": lambda: reserved_ips(ipam_dirs),
        "cgroups": lambda: map(str, cgroupdirs.below(cgroup)) if cgroup else (),
        "processes": lambda: processes(process_marker) if process_marker else (),
        **(extra or {}),
    }
    return Leaks({kind: tuple(sorted(names())) for kind, names in kinds.items()})


def veths() -> list[str]:
    """Ends of virtual Ethernet pairs in this network namespace (sysfs would show the host's)."""
    output = subprocess.run(
        ["ip", "-o", "link", "show", "type", "veth"], check=True, capture_output=True, text=True
    ).stdout
    return [line.split(": ")[1].split("@")[0] for line in output.splitlines()]


def firewall_rules() -> list[str]:
    """Rules and chains of CNI's plugins in every back end of iptables that is installed."""
    programs = ("iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save")
    found = []
    for program in programs:
        if shutil.which(program):
            output = subprocess.run([program], check=False, capture_output=True, text=True).stdout
            found += [f"{program}: {line}" for line in output.splitlines() if _OF_ONE_CONTAINER.search(line)]
    return found


def reserved_ips(ipam_dirs: Iterable[Path]) -> list[str]:
    """host-local's reservations: files that are called like their address, in a directory per network."""
    networks = [network for directory in ipam_dirs if directory.is_dir() for network in directory.iterdir()]
    return [
        f"{network.name}/{entry.name}"
        for network in networks
        if network.is_dir()
        for entry in network.iterdir()
        if entry.name[0].isdigit() or ":" in entry.name
    ]


def processes(marker: str) -> list[str]:
    needle, found = marker.encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if needle in (entry / "environ").read_bytes():
                    found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
            except OSError:  # it ended while it was looked at
                continue
    return found


def _entries(directories: Iterable[Path]) -> list[str]:
    return [str(entry) for directory in directories if directory.is_dir() for entry in directory.iterdir()]
