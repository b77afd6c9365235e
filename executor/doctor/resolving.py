"""Where pods without a name server of their network ask for names: the node's resolv.conf, as they get it."""

from __future__ import annotations

from executor.cni.resolver import has_loopback_only, parse_resolv_conf
from executor.doctor.finding import Finding, passed, warned
from executor.pod.network import host_files

_CHECK = "network.resolv_conf"


def check() -> list[Finding]:
    """The name servers of pods with dnsPolicy Default. Raises OSError."""
    return [judge(host_files.read(host_files.RESOLV_CONF), host_files.resolv_conf(on_host=False))]


def judge(own: str, for_pods: str) -> Finding:
    """From the node's file and what pods with a network of their own get of it. Pure."""
    servers = ", ".join(parse_resolv_conf(for_pods).nameservers)
    if not servers:
        hint = "name a server there, or in `dns` of the networks' .conf"
        return warned(_CHECK, f"{host_files.RESOLV_CONF} names no server: pods with dnsPolicy Default have none", hint)
    if has_loopback_only(for_pods):
        hint = "name a server that pods reach: in `dns` of the networks' .conf, or in systemd-resolved"
        problem = f"{host_files.RESOLV_CONF} has the node's loopback only ({servers}), which no pod reaches"
        return warned(_CHECK, f"{problem}: pods with dnsPolicy Default have no name server", hint)
    if has_loopback_only(own):
        return passed(_CHECK, f"a stub on the node's loopback; pods get the servers behind it: {servers}")
    return passed(_CHECK, f"pods with dnsPolicy Default ask {servers}")
