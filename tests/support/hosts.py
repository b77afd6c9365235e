"""Several hosts on one machine: network namespaces on a common segment, each with a subnet for what runs on it.

This namespace is the third machine on the segment, where master and frameworks are. Pods' and tasks' packets are routed
with the addresses that they have (no masquerading), as a cluster's network does. Used in the private node.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.names import resolves

SEGMENT = "lan0"
HERE = "192.168.77.254"
PREFIX_LENGTH = 24
DIRECTORY = Path("/run/netns")


@dataclass(frozen=True)
class Host:
    """`prefix`, before a command, runs it there. (Not `ip netns exec`, which hides the cgroups' mounts.)"""

    number: int

    @property
    def name(self) -> str:
        return f"host-{self.number}"

    @property
    def address(self) -> str:
        return f"192.168.77.{self.number}"

    @property
    def wire(self) -> str:
        """The segment's end of its cable."""
        return f"wire{self.number}"

    @property
    def subnet(self) -> str:
        """The addresses of everything on this host that has one of its own."""
        return f"10.90.{self.number}.0/{PREFIX_LENGTH}"

    @property
    def gateway(self) -> str:
        """The gateway of what runs on this host, and its name server."""
        return f"10.90.{self.number}.1"

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", f"--net={DIRECTORY / self.name}", "--")

    def owns(self, address: str) -> bool:
        return address.startswith(f"10.90.{self.number}.")

    def resolves(self, name: str, *expected: str, **options: Any) -> float:
        """Asks the host's own name server; see `names.resolves`."""
        return resolves(name, *expected, server=self.address, **options)


@contextmanager
def hosts(count: int = 2) -> Iterator[tuple[Host, ...]]:
    """Made and routed; removed in the end with whatever is attached to them."""
    made = tuple(Host(number) for number in range(1, count + 1))
    try:
        _batch(f"link add {SEGMENT} type bridge", f"link set {SEGMENT} up", f"addr add {HERE}/24 dev {SEGMENT}")
        for host in made:
            _join(host, [other for other in made if other is not host])
        yield made
    finally:
        for host in made:
            _remove("link", host.wire)
            _remove("netns", host.name)
        _remove("link", SEGMENT)


def _remove(kind: str, name: str) -> None:
    """A wire by hand: the namespace at its other end lives on until the last process in it is reaped."""
    subprocess.run(["ip", kind, "delete", name], check=False, stderr=subprocess.DEVNULL)


def _join(host: Host, others: Sequence[Host]) -> None:
    subprocess.run(["ip", "netns", "add", host.name], check=True)
    _batch(
        f"link add {host.wire} type veth peer name eth0 netns {host.name}",
        f"link set {host.wire} master {SEGMENT} up",
        f"route add {host.subnet} via {host.address}",
    )
    _batch(
        "link set lo up",
        "link set eth0 up",
        f"addr add {host.address}/24 dev eth0",
        *(f"route add {other.subnet} via {other.address}" for other in others),
        host=host,
    )
    forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    subprocess.run([*host.prefix, "sh", "-c", forward], check=True)


def _batch(*lines: str, host: Host | None = None) -> None:
    where = ["-netns", host.name] if host else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True)
