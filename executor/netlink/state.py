"""What the kernel has in one network namespace. Pure."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, Self

LOOPBACK_INDEX = 1
"""The index of `lo`, in every network namespace (LOOPBACK_IFINDEX, include/net/net_namespace.h)."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Sums since the interfaces were made, as the owner of the namespace sees them: `received` comes to the pod.

    `dropped` and `errors` are the kernel's rx_dropped, tx_dropped, rx_errors, tx_errors (struct rtnl_link_stats64).
    """

    received_bytes: int = 0
    received_packets: int = 0
    received_dropped: int = 0
    received_errors: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    sent_dropped: int = 0
    sent_errors: int = 0

    def __add__(self, other: Self) -> Traffic:
        return Traffic(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Link:
    """`index` is its number in the namespace, `master` that of the bridge that it is a port of, 0 for none.

    `kind` is veth, bridge, macvlan, ...; empty for a device. `carrier`: the other end is there and up (IFF_LOWER_UP).
    """

    index: int
    name: str
    kind: str = ""
    mac: str = ""
    mtu_bytes: int = 0
    up: bool = True
    carrier: bool = True
    master: int = 0
    traffic: Traffic = Traffic()


@dataclass(frozen=True, slots=True)
class Address:
    """`ip` has its prefix length. `duplicate`: IPv6's detection found another owner, so the kernel does not use it."""

    link: int
    ip: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """To `destination` (CIDR) through `gateway`, which is empty for what is on the link."""

    link: int
    destination: str
    gateway: str = ""
    table: int = 254


@dataclass(frozen=True, slots=True)
class Neighbour:
    """`state` in the words of ip-neighbour(8): reachable, stale, failed, ..."""

    link: int
    ip: str
    mac: str
    state: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """Routes are those of unicast that are not of the table `local`."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()

    def link(self, name: str) -> Link | None:
        """The link of that name."""
        return next((each for each in self.links if each.name == name), None)

    def document(self) -> dict[str, Any]:
        """As JSON, each thing with the name of its link; without the loopback's."""
        names = {each.index: each.name for each in self.links}
        return {
            "links": [_link(each, self.addresses) for each in self.links if each.index != LOOPBACK_INDEX],
            "routes": [
                {"destination": each.destination, "gateway": each.gateway, "ifname": names.get(each.link, "")}
                for each in self.routes
                if each.link != LOOPBACK_INDEX
            ],
            "neighbours": [
                {"ip": each.ip, "mac": each.mac, "state": each.state, "ifname": names.get(each.link, "")}
                for each in self.neighbours
                if each.link != LOOPBACK_INDEX
            ],
        }


def _link(link: Link, addresses: tuple[Address, ...]) -> dict[str, Any]:
    return {
        "ifname": link.name,
        "kind": link.kind,
        "mac": link.mac,
        "mtu_bytes": link.mtu_bytes,
        "up": link.up,
        "carrier": link.carrier,
        "ips": [each.ip for each in addresses if each.link == link.index],
        **traffic_document(link.traffic),
    }


def traffic_document(traffic: Traffic) -> dict[str, int]:
    """As JSON; the keys are the fields' names."""
    return {name: getattr(traffic, name) for name in Traffic.__dataclass_fields__}
