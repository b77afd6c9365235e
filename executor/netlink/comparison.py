"""What the CNI plugins said beside what the kernel has. Pure.

Compared are, for each attachment: its link (there, up, with a carrier, its MAC), its addresses, the destinations of
its routes, and the links of the node that the result names (there; a veth is a port of the bridge that is named with
it). Not compared is what others may rightly add, and the gateways of routes, which plugins choose.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from executor.cni.attachment import Attachment
from executor.netlink.state import Address, Link, Namespace


def differences(attachments: Sequence[Attachment], found: Namespace, node: Namespace) -> tuple[str, ...]:
    """In words, one for each thing; none if the kernel has what was said. `found` is the pod's namespace, `node` the
    links of the namespace in which the plugins ran.
    """
    texts = ((*_of_link(each, found), *_of_routes(each, found), *_of_node(each, node)) for each in attachments)
    return tuple(dict.fromkeys(text for each in texts for text in each))


def node_links(attachments: Sequence[Attachment]) -> frozenset[str]:
    """The names of the links outside of the pod that the results name."""
    return frozenset(
        str(each["name"])
        for attachment in attachments
        for each in attachment.result.get("interfaces") or ()
        if each.get("name") and not each.get("sandbox")
    )


def _of_link(attachment: Attachment, found: Namespace) -> Iterator[str]:
    name, link = attachment.ifname, found.link(attachment.ifname)
    if link is None:
        yield f"{name} is not there"
        return
    yield from _of_state(link)
    if attachment.mac and link.mac and attachment.mac.lower() != link.mac.lower():
        yield f"{name} has the MAC {link.mac}, not {attachment.mac}"
    there = {ipaddress.ip_interface(each.ip): each for each in found.addresses if each.link == link.index}
    yield from _of_addresses(attachment, there)


def _of_state(link: Link) -> Iterator[str]:
    if not link.up:
        yield f"{link.name} is down"
    elif not link.carrier:
        yield f"{link.name} has no carrier: its other end is gone or down"


def _of_addresses(
    attachment: Attachment, there: dict[ipaddress.IPv4Interface | ipaddress.IPv6Interface, Address]
) -> Iterator[str]:
    for ip in attachment.ips:
        address = there.get(ipaddress.ip_interface(ip))
        if address is None:
            yield f"{attachment.ifname} has no address {ip}"
        elif address.duplicate:
            yield f"{attachment.ifname} cannot use {ip}: another host has it"


def _of_routes(attachment: Attachment, found: Namespace) -> Iterator[str]:
    there = {ipaddress.ip_network(each.destination, strict=False) for each in found.routes}
    for route in attachment.result.get("routes") or ():
        destination = str(route.get("dst") or "")
        if destination and ipaddress.ip_network(destination, strict=False) not in there:
            yield f"there is no route to {destination}"


def _of_node(attachment: Attachment, node: Namespace) -> Iterator[str]:
    named = node_links([attachment])
    links = {name: node.link(name) for name in sorted(named)}
    bridges = {link.index: link.name for link in links.values() if link is not None and link.kind == "bridge"}
    for name, link in links.items():
        if link is None:
            yield f"the node's link {name} is not there"
        elif link.kind == "veth" and bridges and link.master not in bridges:
            yield f"the node's link {name} is not a port of {', '.join(bridges.values())}"
