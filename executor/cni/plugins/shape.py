"""The types of a plugin's result, checked value by value, so that an error names what is wrong where. Pure.

Source: CNI specification 1.1.0, section 5, "ADD Success"; 0.2.0 for `ip4` and `ip6`. A value that is null counts as
missing, as for the reference implementation. Keys that the specification does not know are passed over.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from executor.cni.attachment import Json
from executor.hostnames import parse_address

ENTRIES_MAX = 256
"""The length of each list in a result."""
_SHOWN_MAX = 60


class UnreadableResultError(ValueError):
    """Caught where a plugin's outcome is judged; never leaves this package."""


def wrong(where: str, value: Any, expected: str) -> UnreadableResultError:
    """The error for `value` at `where`, which is not `expected`."""
    return UnreadableResultError(f"{where} is {ascii(value)[:_SHOWN_MAX]}, not {expected}")


def entry(holder: Json, key: str, where: str) -> Json:
    """The object below `key`; empty if it is missing. Raises UnreadableResultError."""
    value = holder.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(where, value, "an object")
    return value


def entries(holder: Json, key: str, where: str) -> list[Json]:
    """The list of objects below `key`; empty if it is missing. Raises UnreadableResultError."""
    values = listed(holder, key, where)
    for number, value in enumerate(values):
        if not isinstance(value, dict):
            raise wrong(f"{where}[{number}]", value, "an object")
    return values


def listed(holder: Json, key: str, where: str) -> list[Any]:
    """The list below `key`, of any values; empty if it is missing. Raises UnreadableResultError."""
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(where, value, "a list")
    if len(value) > ENTRIES_MAX:
        raise UnreadableResultError(f"{where} has {len(value)} entries, more than {ENTRIES_MAX}")
    return value


def text(holder: Json, key: str, where: str) -> str:
    """Empty if it is missing."""
    value = holder.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise wrong(where, value, "a text")
    return value


def texts(holder: Json, key: str, where: str) -> tuple[str, ...]:
    """The list of texts below `key`; empty if it is missing. Raises UnreadableResultError."""
    values = listed(holder, key, where)
    return tuple(text({key: value}, key, f"{where}[{number}]") for number, value in enumerate(values))


def prefixed(holder: Json, key: str, where: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """An address of a pod in CIDR notation."""
    value = text(holder, key, where)
    address, slash, _ = value.partition("/")
    found = parse_address(address)
    try:
        made = ipaddress.ip_interface(value)
    except ValueError as error:
        raise wrong(where, value, "an address with prefix length") from error
    if found is None or not slash or found.is_unspecified or found.is_multicast:
        raise wrong(where, value, "an address with prefix length that an interface can have")
    return made


def address(holder: Json, key: str, where: str) -> str:
    """Empty if it is missing."""
    value = text(holder, key, where)
    found = parse_address(value)
    if value and (found is None or "/" in value):
        raise wrong(where, value, "an address")
    return "" if found is None else str(found)


def network(holder: Json, key: str, where: str) -> None:
    """Raises UnreadableResultError if the value below `key` is not a destination of a route in CIDR notation."""
    value = text(holder, key, where)
    try:
        if "/" not in value or "%" in value:
            raise ValueError("no prefix length, or a zone")
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise wrong(where, value, "a destination with prefix length") from error


def index(holder: Json, key: str, where: str, count: int) -> int | None:
    """The index of one of `count` entries; None if it is missing."""
    value = holder.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise wrong(where, value, f"the number of one of {count} interfaces")
    return value
