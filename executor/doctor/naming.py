"""The node's name server: installed, able to serve the directory of names, and answering."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from executor.config import DnsSection
from executor.doctor.finding import Finding, passed, skipped, warned


def check(section: DnsSection, servers: Sequence[str], path: str) -> list[Finding]:
    """`servers` are the addresses that pods and tasks ask; `path` is where dnsmasq is looked for."""
    if not section.enabled:
        return [skipped("dns.enabled", "names are not published ([dns] enabled)")]
    found = [_installed(path)]
    if not servers:
        hint = "name a server in `dns` of a network's .conf, or in [dns] listen; see mesos-pod-executor dns run"
        return [*found, warned("dns.servers", "no address serves names to pods and Mesos tasks", hint)]
    return found + [_answers(section, server) for server in servers]


def _installed(path: str) -> Finding:
    program = shutil.which("dnsmasq", path=path)
    if program is None:
        hint = "install dnsmasq-base, or set [dns] enabled = false"
        return warned("dns.dnsmasq", "dnsmasq is not installed: pods have no names", hint)
    return passed("dns.dnsmasq", program)


def _answers(section: DnsSection, server: str) -> Finding:
    from executor.dns.hostsdir import HostsDir
    from executor.dns.probe import probe

    result = probe(HostsDir(Path(section.hosts_dir)), server, section.domain, timeout_s=1.5)
    if result.error:
        hint = "start mesos-pod-executor-dns.service, or see `mesos-pod-executor dns config` for another dnsmasq"
        return warned(f"dns.server.{server}", f"does not serve this node's names: {result.error}", hint)
    return passed(f"dns.server.{server}", f"a name is served {result.appeared_ms} ms after it is published")
