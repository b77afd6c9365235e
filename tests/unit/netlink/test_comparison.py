"""What the plugins said beside what the kernel has: each difference is told, and nothing that others may add."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from executor.cni import Attachment
from executor.netlink.comparison import differences, node_links
from executor.netlink.state import Address, Link, Namespace, Route, Traffic

MAC = "02:00:00:00:00:01"
RESULT: dict[str, Any] = {
    "interfaces": [{"name": "cni0"}, {"name": "veth1"}, {"name": "eth0", "mac": MAC, "sandbox": "/n"}],
    "ips": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1", "interface": 2}],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "fd00:1::/64", "gw": "fe80::1"}],
}
MADE = Attachment("net", "eth0", ("10.1.0.5/24", "fd00::5/64"), "10.1.0.1", MAC.upper(), result=RESULT)
LINK = Link(2, "eth0", "veth", MAC, 1500)
POD = Namespace(
    links=(Link(1, "lo"), LINK),
    addresses=(
        Address(1, "127.0.0.1/8"),
        Address(2, "10.1.0.5/24"),
        Address(2, "fd00:0::5/64"),
        Address(2, "fe80::1/64"),
    ),
    routes=(Route(2, "0.0.0.0/0", "10.1.0.1"), Route(2, "10.1.0.0/24"), Route(2, "fd00:1::/64", table=7)),
)
NODE = Namespace(links=(Link(1, "lo"), Link(7, "cni0", "bridge"), Link(8, "veth1", "veth", master=7)))


def test_a_network_that_is_as_it_was_said() -> None:
    assert differences([MADE], POD, NODE) == ()
    assert node_links([MADE]) == {"cni0", "veth1"}


def linked(**changes: Any) -> Namespace:
    return replace(POD, links=(Link(1, "lo"), replace(LINK, **changes)))


DIFFERENT: dict[str, tuple[Namespace, Namespace, str]] = {
    "no link": (replace(POD, links=(Link(1, "lo"),)), NODE, "eth0 is not there"),
    "down": (linked(up=False, carrier=False), NODE, "eth0 is down"),
    "no carrier": (linked(carrier=False), NODE, "eth0 has no carrier"),
    "mac": (linked(mac="02:00:00:00:00:02"), NODE, "eth0 has the MAC 02:00:00:00:00:02"),
    "no address": (replace(POD, addresses=POD.addresses[2:]), NODE, "eth0 has no address 10.1.0.5/24"),
    "prefix": (
        replace(POD, addresses=(Address(2, "10.1.0.5/16"), *POD.addresses[2:])), NODE, "eth0 has no address 10.1.0.5/24"
    ),
    "of another link": (
        replace(POD, addresses=(Address(1, "10.1.0.5/24"), *POD.addresses[2:])), NODE, "eth0 has no address 10.1.0.5/24"
    ),
    "duplicate": (
        replace(POD, addresses=(POD.addresses[1], Address(2, "fd00::5/64", duplicate=True))), NODE, "another host has"
    ),
    "no route": (replace(POD, routes=POD.routes[1:]), NODE, "there is no route to 0.0.0.0/0"),
    "no bridge": (POD, Namespace(links=NODE.links[2:]), "the node's link cni0 is not there"),
    "no veth": (POD, Namespace(links=NODE.links[:2]), "the node's link veth1 is not there"),
    "no port": (
        POD, Namespace(links=(*NODE.links[:2], replace(NODE.links[2], master=0))), "veth1 is not a port of cni0"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(DIFFERENT))
def test_one_difference(case: str) -> None:
    found, node, words = DIFFERENT[case]
    (text,) = differences([MADE], found, node)
    assert words in text


def test_results_of_old_versions_have_addresses_only() -> None:
    old = replace(MADE, mac="", result={"ip4": {"ip": "10.1.0.5/24"}})
    assert differences([old], POD, Namespace()) == ()
    assert differences([old], replace(POD, addresses=()), Namespace()) == (
        "eth0 has no address 10.1.0.5/24",
        "eth0 has no address fd00::5/64",
    )


def test_counters_add_up() -> None:
    assert Traffic(1, 2, 3, 4, 5, 6, 7, 8) + Traffic(received_bytes=10, sent_errors=1) == Traffic(
        11, 2, 3, 4, 5, 6, 7, 9
    )
