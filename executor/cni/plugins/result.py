"""Results of every version of the CNI specification, normalised and rendered. Pure.

0.1.0 and 0.2.0 print `ip4` and `ip6`; 0.3.0 to 0.4.0 print `interfaces`, `ips` with a `version`, `routes`; 1.0.0 and
later drop that `version`. The normal form is the last. A chain's `prevResult` must be of the chain's version, which
an older plugin in it may not be. A result of a version that CNI does not have is refused; one that names no version is
of the version asked for, as for the reference implementation.
"""

from __future__ import annotations

from typing import Any

from executor.cni.attachment import Attachment, Dns, Json
from executor.cni.config.version import CHAINING, SPEC_VERSIONS, at_least
from executor.cni.plugins import shape
from executor.cni.plugins.shape import UnreadableResultError

__all__ = ["UnreadableResultError", "attachment", "converted"]

_FAMILIES = ("ip4", "ip6")
_LISTS = ("interfaces", "ips", "routes")
_UNVERSIONED_IPS = "1.0.0"


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
    """What the pod sees of a result: the addresses of the interface in its namespace, none if the result has none.
    Raises UnreadableResultError.
    """
    normal = _normalised(raw)
    inside = [
        number for number, each in enumerate(normal["interfaces"]) if each.get("sandbox") and each.get("name") == ifname
    ]
    own = [each for each in normal["ips"] if not inside or each.get("interface") in (None, *inside)]
    macs = [str(normal["interfaces"][number].get("mac") or "") for number in inside]
    return Attachment(
        network=network,
        ifname=ifname,
        ips=tuple(str(shape.prefixed(each, "address", "address")) for each in own),
        gateway=next((gateway for each in own if (gateway := shape.address(each, "gateway", "gateway"))), ""),
        mac=next(iter(macs), ""),
        dns=_dns(normal["dns"]),
        result=raw,
    )


def _normalised(raw: Json) -> Json:
    version = shape.text(raw, "cniVersion", "cniVersion")
    if version and version not in SPEC_VERSIONS:
        raise shape.wrong("cniVersion", version, f"one of {', '.join(SPEC_VERSIONS)}")
    old = any(raw.get(key) for key in _FAMILIES)
    alien = _LISTS if version and not at_least(version, CHAINING) else _FAMILIES if version else ()
    for key in alien:
        if raw.get(key):
            raise UnreadableResultError(f"{key} is not a part of a result of version {version}")
    normal = _from_old(raw) if old else _from_new(raw)
    _dns(normal["dns"])
    return normal


def _from_new(raw: Json) -> Json:
    interfaces = shape.entries(raw, "interfaces", "interfaces")
    for number, each in enumerate(interfaces):
        for key in ("name", "mac", "sandbox"):
            shape.text(each, key, f"interfaces[{number}].{key}")
    ips = shape.entries(raw, "ips", "ips")
    for number, each in enumerate(ips):
        shape.prefixed(each, "address", f"ips[{number}].address")
        shape.address(each, "gateway", f"ips[{number}].gateway")
        shape.index(each, "interface", f"ips[{number}].interface", len(interfaces))
    return {
        "interfaces": [dict(each) for each in interfaces],
        "ips": [{key: value for key, value in each.items() if key != "version"} for each in ips],
        "routes": _routes(raw, "routes"),
        "dns": shape.entry(raw, "dns", "dns"),
    }


def _from_old(raw: Json) -> Json:
    normal: Json = {"interfaces": [], "ips": [], "routes": [], "dns": shape.entry(raw, "dns", "dns")}
    for family in _FAMILIES:
        entry = shape.entry(raw, family, family)
        if not entry:
            continue
        shape.prefixed(entry, "ip", f"{family}.ip")
        gateway = shape.address(entry, "gateway", f"{family}.gateway")
        normal["ips"].append({"address": entry["ip"]} | ({"gateway": gateway} if gateway else {}))
        normal["routes"] += _routes(entry, f"{family}.routes")
    return normal


def _routes(holder: Json, where: str) -> list[Json]:
    routes = shape.entries(holder, "routes", where)
    for number, each in enumerate(routes):
        shape.network(each, "dst", f"{where}[{number}].dst")
        shape.address(each, "gw", f"{where}[{number}].gw")
    return [dict(each) for each in routes]


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
    if raw.get("cniVersion"):
        return str(raw["cniVersion"])
    if any(raw.get(key) for key in _FAMILIES):
        return "0.2.0" if at_least(asked, CHAINING) else asked
    if any("version" in each for each in raw.get("ips") or []):
        return "0.4.0" if at_least(asked, _UNVERSIONED_IPS) else asked
    return asked


def _family(entry: Json) -> str:
    return str(shape.prefixed(entry, "address", "address").version)


def _dns(raw: dict[str, Any]) -> Dns:
    """Texts; whether they are addresses and domains is judged where resolv.conf is made."""
    return Dns(
        nameservers=shape.texts(raw, "nameservers", "dns.nameservers"),
        domain=shape.text(raw, "domain", "dns.domain"),
        search=shape.texts(raw, "search", "dns.search"),
        options=shape.texts(raw, "options", "dns.options"),
    )
