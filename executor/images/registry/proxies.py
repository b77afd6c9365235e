"""Which proxy leads to a URL. Pure.

Source: golang.org/x/net/http/httpproxy, by which containerd and docker read HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Proxies:
    """URLs of proxies, empty for none, and what is asked without one: a domain stands for its subdomains too, `.domain`
    for these alone, an address, a network (CIDR), each but a network with a port if it names one, or `*`.
    """

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()
    credential: str = field(default="", repr=False)
    """`user:password` for both; empty: they demand none."""

    def of(self, scheme: str, host: str, port: int) -> str:
        """The proxy that leads to an origin, empty for none: this machine itself is never asked through one."""
        proxy = self.https if scheme == "https" else self.http
        if not proxy or _is_local(host):
            return ""
        is_direct = any(_matches(each.strip().lower(), host, port) for each in self.no_proxy)
        return "" if is_direct else proxy


NO_PROXIES = Proxies()


def _is_local(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        return address is not None and _in_network(address, entry)
    name, wanted = _split(entry)
    if not name or wanted not in ("", str(port)):
        return False
    if address is not None:
        return _address(name) == address
    domain = name.removeprefix("*")
    return host.endswith(domain) if domain.startswith(".") else host == domain or host.endswith(f".{domain}")


def _split(entry: str) -> tuple[str, str]:
    """Host and port; an IPv6 address with a port stands in brackets."""
    if _address(entry) is not None:
        return entry, ""
    name, colon, port = entry.rpartition(":")
    return (name.strip("[]"), port) if colon else (entry.strip("[]"), "")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
