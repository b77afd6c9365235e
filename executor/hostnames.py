"""Addresses and host names as they may stand in a hosts file, a resolv.conf or a name server. Pure.

Every address that leaves this module is rendered from the parsed address, and every name consists of labels of RFC
1123, so that neither can break out of its line. Zone ids are refused: they mean nothing on another host, and Python's
ipaddress takes any text as one.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LABEL_MAX: Final = 63
NAME_MAX: Final = 253

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """An IPv4 or IPv6 address without a zone id; a prefix length is cut off. None if it is no such address."""
    try:
        found = ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None
    return None if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None else found


def address(text: str) -> str:
    """An IP address in its one form, without a prefix length; empty if it is none."""
    found = parse_address(text)
    return "" if found is None else str(found)


def unpublishable(text: str) -> str:
    """Why other hosts cannot use this address, in words; empty if they can."""
    found = parse_address(text)
    if found is None:
        return "not an address"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return "an IPv4-mapped address"
    kinds = {
        "an unspecified address": found.is_unspecified,
        "a loopback address": found.is_loopback,
        "a multicast address": found.is_multicast,
        "a link-local address": found.is_link_local,
        "the broadcast address": found == _BROADCAST,
        "an address of 0.0.0.0/8": isinstance(found, ipaddress.IPv4Address) and found.packed[0] == 0,
    }
    return next((kind for kind, applies in kinds.items() if applies), "")


def is_label(text: str) -> bool:
    """One label of RFC 1123, in small letters."""
    return "." not in text and _NAME.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """A host name in small letters that no program takes for an address."""
    return 0 < len(text) <= NAME_MAX and _NAME.fullmatch(text) is not None and not ends_in_number(text)


def ends_in_number(name: str) -> bool:
    """Whether programs take the name for an IPv4 address: `10.6.6.6`, `1`, `0x7f.1` (inet_aton(3); the URL standard's
    "ends in a number").
    """
    return _NUMBER.fullmatch(name.removesuffix(".").rpartition(".")[2]) is not None
