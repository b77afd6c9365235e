"""Results of ADD in every version of the specification, normalised and rendered. Pure.

0.1.0 and 0.2.0 print `ip4` and `ip6`; 0.3.0 to 0.4.0 print `interfaces`, `ips` with a `version`, `routes`; 1.0.0 and
later drop that `version`. The normal form is the last. A chain's `prevResult` must be of the chain's version, which
an older plugin in it may not be.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from executor.cni.attachment import Attachment, Dns, Json
from executor.cni.version import CHAINING, SPEC_VERSIONS, at_least

_FAMILIES = ("ip4", "ip6")
_UNVERSIONED_IPS = "1.0.0"


class UnreadableResultError(ValueError):
    """Caught where a plugin's outcome is judged; never leaves this package."""


def converted(raw: Json, version: str) -> Json:
    """`raw` in the form of `version`; untouched if it has it. Raises UnreadableResultError."""
    normal = _normalised(raw)
    if _version_of(raw, version) == version:
        return raw
    if not at_least(version, CHAINING):
        return _render_old(normal, version)
    ips = normal["ips"]
    if not at_least(version, _UNVERSIONED_IPS):
        ips = [{"version": _family(each), **each} for each in ips]
    return {**normal, "cniVersion": version, "ips": ips}


def attachment(network: str, ifname: str, raw: Json) -> Attachment:
    """What the pod sees of a result: the addresses of the interface in its namespace. Raises UnreadableResultError."""
    normal = _normalised(raw)
    inside = [
        number for number, each in enumerate(normal["interfaces"]) if each.get("sandbox") and each.get("name") == ifname
    ]
    own = [each for each in normal["ips"] if not inside or each.get("interface") in (None, *inside)]
    macs = [str(normal["interfaces"][number].get("mac") or "") for number in inside]
    return Attachment(
        network=network,
        ifname=ifname,
        ips=tuple(str(each["address"]) for each in own),
        gateway=next((str(each["gateway"]) for each in own if each.get("gateway")), ""),
        mac=next(iter(macs), ""),
        dns=_dns(normal["dns"]),
        result=raw,
    )


def _normalised(raw: Json) -> Json:
    try:
        return _from_old(raw) if any(key in raw for key in _FAMILIES) else _from_new(raw)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableResultError(f"{type(error).__name__}: {error}") from error


def _from_new(raw: Json) -> Json:
    ips = [{key: value for key, value in each.items() if key != "version"} for each in raw.get("ips") or []]
    for each in ips:
        ipaddress.ip_interface(each["address"])
    return {
        "interfaces": [dict(each) for each in raw.get("interfaces") or []],
        "ips": ips,
        "routes": [dict(each) for each in raw.get("routes") or []],
        "dns": dict(raw.get("dns") or {}),
    }


def _from_old(raw: Json) -> Json:
    normal: Json = {"interfaces": [], "ips": [], "routes": [], "dns": dict(raw.get("dns") or {})}
    for family in _FAMILIES:
        entry = raw.get(family)
        if not entry:
            continue
        ipaddress.ip_interface(entry["ip"])
        gateway = {"gateway": entry["gateway"]} if entry.get("gateway") else {}
        normal["ips"].append({"address": entry["ip"], **gateway})
        normal["routes"] += [dict(route) for route in entry.get("routes") or []]
    return normal


def _render_old(normal: Json, version: str) -> Json:
    """The first address of each family: the old form has room for no more."""
    rendered: Json = {"cniVersion": version, "dns": normal["dns"]}
    for entry in normal["ips"]:
        key = f"ip{_family(entry)}"
        routes = [route for route in normal["routes"] if (":" in str(route.get("dst"))) == (key == "ip6")]
        old: Json = {"ip": entry["address"]} | ({"gateway": entry["gateway"]} if entry.get("gateway") else {})
        rendered.setdefault(key, old | ({"routes": routes} if routes else {}))
    return rendered


def _version_of(raw: Json, asked: str) -> str:
    """A plugin of the first days does not say its version."""
    if raw.get("cniVersion") in SPEC_VERSIONS:
        return str(raw["cniVersion"])
    if any(key in raw for key in _FAMILIES):
        return "0.2.0" if at_least(asked, CHAINING) else asked
    if any("version" in each for each in raw.get("ips") or []):
        return "0.4.0" if at_least(asked, _UNVERSIONED_IPS) else asked
    return asked


def _family(entry: Json) -> str:
    return str(ipaddress.ip_interface(entry["address"]).version)


def _dns(raw: dict[str, Any]) -> Dns:
    return Dns(
        nameservers=tuple(map(str, raw.get("nameservers") or ())),
        domain=str(raw.get("domain") or ""),
        search=tuple(map(str, raw.get("search") or ())),
        options=tuple(map(str, raw.get("options") or ())),
    )
