"""A pod's resolv.conf and hosts file. Pure.

Source: Kubernetes' "DNS for Services and Pods" (dnsPolicy, dnsConfig, hostAliases), resolv.conf(5), hosts(5), RFC
1123. The cluster's DNS is what the network's `dns` says: that is also what Mesos gives to its tasks on that network,
so both sides see the same names.

Nothing but addresses, domains and options of their known forms is written, from every source. What a pod asks for
and is none of these is refused; what a plugin or the node says is left out, and a comment says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from executor.cni.attachment import Dns
from executor.errors import InvalidTask
from executor.hostnames import address, ends_in_number, parse_address

if TYPE_CHECKING:
    from executor.spec.model import DnsConfig, HostAlias

POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
NAMESERVERS_MAX = 3  # glibc's MAXNS; it ignores the rest in silence
SEARCHES_MAX = 32  # Kubernetes' limit; glibc has none since 2.26
SEARCH_MAX_CHARS = 2048
DROPPED_MAX = 32
_SHOWN_MAX_CHARS = 300

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_SEARCH_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_OPTION = re.compile(r"[A-Za-z0-9_-]+(:[!-\"$-:<-~]+)?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_HEADER = "# Made by mesos-pod-executor.\n"
_LOCALHOST = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n"
)


@dataclass(frozen=True)
class Resolver:
    """`dropped`: what was asked for and is left out, in words."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def text(self) -> str:
        """As a file; what was dropped stands in it as comments, for a person who looks there for a name that is not
        found.
        """
        lines = [f"# left out: {_printable(each)}" for each in self.dropped]
        lines += [f"nameserver {each}" for each in self.nameservers]
        lines += [f"search {' '.join(self.searches)}"] if self.searches else []
        lines += [f"options {' '.join(self.options)}"] if self.options else []
        return _HEADER + "".join(f"{line}\n" for line in lines)


def resolv_conf(
    dns_policy: str,
    dns_config: DnsConfig | None,
    attachment_dns: Dns | None,
    host_text: str,
    *,
    host_network: bool = False,
) -> str:
    """The text of a pod's resolv.conf; see `resolver`."""
    return resolver(dns_policy, dns_config, attachment_dns, host_text, host_network=host_network).text()


def resolver(
    dns_policy: str,
    dns_config: DnsConfig | None,
    attachment_dns: Dns | None,
    host_text: str,
    *,
    host_network: bool = False,
) -> Resolver:
    """ClusterFirst takes the network's DNS, or the host's (`host_text`, its resolv.conf) if the network has none or
    the pod is on the host's network; ClusterFirstWithHostNet takes the network's there too; Default the host's; None
    nothing. dnsConfig is added to that, its options winning. Raises InvalidTask.
    """
    if dns_policy not in POLICIES:
        raise InvalidTask(f"not one of {', '.join(POLICIES)}", subject="spec.dnsPolicy")
    if dns_config is not None:
        _check_dns_config(dns_config)
    base = _base(dns_policy, attachment_dns, host_text, host_network=host_network)
    extra = Dns(
        nameservers=tuple(dns_config.nameservers) if dns_config else (),
        search=tuple(dns_config.searches) if dns_config else (),
        options=tuple(dns_config.options) if dns_config else (),
    )
    if dns_policy == "None" and not extra.nameservers:
        raise InvalidTask("dnsPolicy None needs at least one nameserver", subject="spec.dnsConfig.nameservers")
    return _limited(base, extra, reachable_loopback=host_network)


def parse_resolv_conf(text: str) -> Dns:
    """What glibc reads: the last `search` or `domain` counts; comments begin with # or ;."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.split("\n"):  # no other character ends a line for glibc
        keyword, *values = line.split() or [""]
        if keyword == "nameserver" and values:
            nameservers.append(values[0])
        elif keyword in ("search", "domain"):
            search = tuple(values)
        elif keyword == "options":
            options += values
    return Dns(tuple(nameservers), "", search, tuple(options))


def has_loopback_only(text: str) -> bool:
    """Whether a resolv.conf names nothing but servers on the loopback, such as the stub of systemd-resolved."""
    servers = parse_resolv_conf(text).nameservers
    return bool(servers) and all(map(_is_loopback, servers))


def hosts_file(
    hostname: str,
    ips: Sequence[str],
    host_aliases: Sequence[HostAlias],
    *,
    domain: str = "",
    host_text: str | None = None,
) -> str:
    """A pod's /etc/hosts: its own name on each of `ips` (a prefix length is cut off), its fully qualified name first
    if there is a `domain`, then hostAliases. A name that programs take for an address is left out. `host_text`: the
    host's file, for a pod on the host's network. Raises InvalidTask.
    """
    names = "\t".join(filter(_is_host_name, [*([f"{hostname}.{domain}"] if domain else []), hostname]))
    own = "".join(f"{known}\t{names}\n" for ip in ips if names and (known := address(ip)))
    aliases = "".join(_alias_line(number, alias) for number, alias in enumerate(host_aliases))
    head = host_text if host_text is not None else _LOCALHOST
    text = _HEADER + (head if head.endswith("\n") else f"{head}\n") + own
    return text + (f"\n# hostAliases of the pod\n{aliases}" if aliases else "")


def _base(dns_policy: str, attachment_dns: Dns | None, host_text: str, *, host_network: bool) -> Dns:
    if dns_policy == "None":
        return Dns()
    cluster = dns_policy == "ClusterFirstWithHostNet" or (dns_policy == "ClusterFirst" and not host_network)
    if cluster and attachment_dns is not None and attachment_dns.nameservers:
        search = attachment_dns.search or tuple(filter(None, [attachment_dns.domain]))
        return Dns(attachment_dns.nameservers, "", search, attachment_dns.options)
    return parse_resolv_conf(host_text)


def _limited(base: Dns, extra: Dns, *, reachable_loopback: bool) -> Resolver:
    dropped: list[str] = []
    nameservers: list[str] = []
    for server in dict.fromkeys(base.nameservers + extra.nameservers):
        if not _is_server(server):
            dropped.append(f"nameserver {server}: not an address")
        elif not reachable_loopback and server in base.nameservers and _is_loopback(server):
            dropped.append(f"nameserver {server}: the loopback of the host cannot be reached from a pod")
        elif len(nameservers) == NAMESERVERS_MAX:
            dropped.append(f"nameserver {server}: glibc reads the first {NAMESERVERS_MAX} only")
        else:
            nameservers.append(server)
    searches: list[str] = []
    for domain in dict.fromkeys(base.search + extra.search):
        if not _is_search(domain):
            dropped.append(f"search {domain}: not a domain")
        elif len(searches) < SEARCHES_MAX and len(" ".join([*searches, domain])) <= SEARCH_MAX_CHARS:
            searches.append(domain)
        else:
            dropped.append(f"search {domain}: more than {SEARCHES_MAX} domains or {SEARCH_MAX_CHARS} characters")
    options = _merged_options(base.options, extra.options)
    dropped += [f"options {each}: not an option" for each in options if not _OPTION.fullmatch(each)]
    known = tuple(each for each in options if _OPTION.fullmatch(each))
    return Resolver(tuple(nameservers), tuple(searches), known, tuple(dropped[:DROPPED_MAX]))


def _merged_options(*lists: Iterable[str]) -> tuple[str, ...]:
    """By name, the later one wins."""
    merged = {option.partition(":")[0]: option for options in lists for option in options}
    return tuple(merged.values())


def _is_loopback(server: str) -> bool:
    found = parse_address(server.partition("%")[0])
    return found is not None and found.is_loopback


def _is_server(text: str) -> bool:
    """An address, which may have an interface as zone."""
    bare, percent, zone = text.partition("%")
    known = "/" not in text and parse_address(bare) is not None
    return known and (not percent or _ZONE.fullmatch(zone) is not None)


def _is_search(domain: str) -> bool:
    return domain == "." or _is_domain(domain, _SEARCH_LABEL)


def _printable(text: str) -> str:
    """In one line of ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:_SHOWN_MAX_CHARS])


def _check_dns_config(config: DnsConfig) -> None:
    """Nothing that would break out of its line in the file."""
    for number, server in enumerate(config.nameservers):
        _check_ip(server, f"spec.dnsConfig.nameservers[{number}]")
    for number, domain in enumerate(config.searches):
        if not _is_search(domain):
            raise InvalidTask(f"not a domain: {domain!r}", subject=f"spec.dnsConfig.searches[{number}]")
    for number, option in enumerate(config.options):
        if not _OPTION.fullmatch(option):
            raise InvalidTask(f"not a resolver option: {option!r}", subject=f"spec.dnsConfig.options[{number}]")


def _alias_line(number: int, alias: HostAlias) -> str:
    subject = f"spec.hostAliases[{number}]"
    _check_ip(alias.ip, f"{subject}.ip")
    if not alias.hostnames:
        raise InvalidTask("names no host", subject=f"{subject}.hostnames")
    for position, name in enumerate(alias.hostnames):
        if not _is_host_name(name):
            raise InvalidTask(f"not a host name: {name!r}", subject=f"{subject}.hostnames[{position}]")
    return f"{address(alias.ip)}\t{' '.join(alias.hostnames)}\n"


def _is_host_name(name: str) -> bool:
    return _is_domain(name, _LABEL) and not ends_in_number(name)


def _is_domain(name: str, label: re.Pattern[str]) -> bool:
    bare = name.removesuffix(".")
    return 0 < len(bare) <= 253 and all(label.fullmatch(part) for part in bare.split("."))


def _check_ip(text: str, subject: str) -> None:
    if "/" in text or parse_address(text) is None:
        raise InvalidTask(f"not an IP address: {text!r}", subject=subject)
