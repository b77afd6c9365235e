"""How the containers of a Kubernetes v1 Pod resolve names: dnsPolicy, dnsConfig and hostAliases. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec.kubernetes import names
from executor.spec.kubernetes.pod_documents import DnsConfig as KubernetesDnsConfig
from executor.spec.kubernetes.pod_documents import HostAlias as KubernetesHostAlias
from executor.spec.model import DnsConfig, HostAlias
from executor.spec.reading.faults import Faults

_SERVERS_MAX: Final = 3
_SEARCHES_MAX: Final = 32
_SEARCHES_MAX_LETTERS: Final = 2048
"""The limits of Kubernetes (pkg/apis/core/validation, MaxDNSNameservers and those after it); resolv.conf(5) has three
servers.
"""
_PATH: Final = "spec.dnsConfig"


def host_aliases(listed: Sequence[KubernetesHostAlias], faults: Faults) -> tuple[HostAlias, ...]:
    """Further lines of the hosts file; what is wrong goes to `faults`."""
    found = []
    for index, alias in enumerate(listed):
        path = f"spec.hostAliases[{index}]"
        hostnames = faults.items(common.host_name, alias.hostnames, f"{path}.hostnames")
        found.append(HostAlias(faults.of("", common.ip_address, alias.ip, f"{path}.ip"), hostnames))
    return tuple(found)


def dns_config(config: KubernetesDnsConfig, policy: str, faults: Faults) -> DnsConfig:
    """What resolv.conf gets beside the network's; what is wrong goes to `faults`."""
    if policy == "None" and not config.nameservers:
        faults.add(InvalidTask("dnsPolicy None needs at least one", subject=f"{_PATH}.nameservers"))
    _few(config.nameservers, _SERVERS_MAX, f"{_PATH}.nameservers", faults)
    _few(config.searches, _SEARCHES_MAX, f"{_PATH}.searches", faults)
    if (letters := len(" ".join(config.searches))) > _SEARCHES_MAX_LETTERS:
        message = f"have {letters} letters together, which is more than {_SEARCHES_MAX_LETTERS}"
        faults.add(InvalidTask(message, subject=f"{_PATH}.searches"))
    for index, option in enumerate(config.options):
        if not option.name:
            faults.add(InvalidTask("is missing", subject=f"{_PATH}.options[{index}].name", hint="it is required"))
    options = [one.name if one.value is None else f"{one.name}:{one.value}" for one in config.options if one.name]
    return DnsConfig(
        nameservers=faults.items(common.ip_address, config.nameservers, f"{_PATH}.nameservers"),
        searches=faults.items(names.search_domain, config.searches, f"{_PATH}.searches"),
        options=faults.items(common.one_word, options, f"{_PATH}.options"),
    )


def _few(listed: Sequence[str], most: int, path: str, faults: Faults) -> None:
    if len(listed) > most:
        faults.add(InvalidTask(f"are {len(listed)}, which is more than {most}", subject=path))
