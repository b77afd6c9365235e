"""The executor's configuration: frozen sections, each field with its default, its limits and what it is for.

`load` is pure: the text of a TOML file, overridden by MESOS_POD_EXECUTOR_<SECTION>_<KEY> variables (a list as `a,b`, a
table as `k=v,k2=v2`). An unknown name is an error with the nearest known name as hint: a misspelled key that is ignored
would be a limit that is not set. Every default works without a file. `python -m executor.config.sections` prints the
commented default file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_type_hints

from executor.config.cgroups import CgroupsSection
from executor.config.disk import DiskSection
from executor.config.file import read_text
from executor.config.images import ImagesSection
from executor.config.key import key
from executor.config.lending import LendingSection
from executor.config.pods import PodsSection
from executor.config.policy import PolicySection
from executor.config.retention import RetentionSection
from executor.config.role_limit import RoleLimit
from executor.config.values import PATH_VARIABLE, Values, decode_file, decode_variables, default_file

DEFAULT_PATH: Final = Path("/etc/mesos-pod-executor/config.toml")


@dataclass(frozen=True)
class ContainerdSection:
    """How to reach containerd and what to ask of it."""

    address: str = key("/run/containerd/containerd.sock", "containerd's gRPC socket.", absolute=True)
    namespace: str = key(
        "mesos-pods", "containerd namespace of every image and container of this executor.", filled=True
    )
    runtime: str = key(
        "auto",
        "Program that containerd's shim runs containers with: runc, crun, or the absolute path of a program that has"
        " runc's commands. auto: crun on nodes with cgroup v2 alone that have crun 1.20 or later, else runc; doctor"
        " says which and why.",
        filled=True,
        runtime=True,
    )
    runtime_revocable: str = key("", "The same for revocable pods; empty: [containerd] runtime.", runtime=True)


@dataclass(frozen=True)
class CniSection:
    """Networks. The Mesos agent's CNI configuration is the single source."""

    config_dir: str = key("/etc/cni/net.d", "CNI configurations: the agent's --network_cni_config_dir.", absolute=True)
    plugin_dirs: tuple[str, ...] = key(
        ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin"),
        "Where CNI plugins are looked for, in this order.",
        absolute=True,
    )
    default_network: str = key(
        "",
        "Network of a pod that names none; none: a network namespace with loopback only; empty: the executor's own, and"
        " where that is the node's only a role with host_network or the level privileged gets it.",
    )
    timeout_s: float = key(30.0, "Limit on one run of a CNI plugin, seconds.", least=0.1, most=600)


@dataclass(frozen=True)
class DnsSection:
    """Names of pods and Mesos tasks, served by a dnsmasq on this node (`mesos-pod-executor dns`)."""

    enabled: bool = key(default=True, doc="Publish the names of this executor's pods.")
    hosts_dir: str = key(
        "/run/mesos-pod-names",
        "Directory that dnsmasq watches, one file per pod and task; readable for dnsmasq's user.",
        absolute=True,
    )
    domain: str = key("mesos", "Domain of <task>.<framework> names, as Mesos-DNS gives them.", domain=True)
    cluster_domain: str = key("cluster.local", "Domain of names in Kubernetes' style.", domain=True)
    listen: tuple[str, ...] = key(
        (), "Addresses that dnsmasq answers on; none: the nameservers in the `dns` of the CNI networks.", addresses=True
    )
    upstream: tuple[str, ...] = key(
        (), "Where other names are asked for, each as dnsmasq's --server; none: the servers of /etc/resolv.conf."
    )
    mesos: tuple[str, ...] = key(
        ("127.0.0.1:5051",),
        "What is asked for tasks: all masters (best: the whole cluster's names on every node), or this node's agent.",
        endpoints=True,
    )
    credential_file: str = key(
        "/etc/mesos-pod-executor/dns-credential",
        "One line, principal and secret, for a master or agent that demands them; missing: none are sent.",
        absolute=True,
    )
    interval_s: float = key(2.0, "How often an agent is asked (masters tell by themselves), seconds.", least=0.1)
    hold_s: float = key(
        90.0, "How long names outlive a master's restart while their agent has not registered again, seconds.", least=0
    )


@dataclass(frozen=True)
class NodeSection:
    """Directories of the node that executors share."""

    state_dir: str = key(
        "/var/lib/mesos-pod-executor", "What must survive an executor: CNI results, DNS.", absolute=True
    )
    run_dir: str = key("/run/mesos-pod-executor", "Control sockets and network namespaces.", absolute=True)


@dataclass(frozen=True)
class RolesSection:
    """Mesos roles."""

    namespace_to_role: Mapping[str, str] = key(
        MappingProxyType({}),
        "Role that pods of a namespace must be launched under; a namespace that is not listed is free.",
    )
    limits: Mapping[str, RoleLimit] = key(
        MappingProxyType({}),
        "What a role and those below it may use on this node, in each class: eng = {cpus = 4, mem = '8Gi'}, in the"
        " variable eng=cpus:4;mem:8Gi.",
        roles=True,
    )


@dataclass(frozen=True)
class RevocationSection:
    """How revocable resources are taken back."""

    grace_s: float = key(0.0, "Time from notice to SIGKILL where the request sets none, seconds.", least=0, most=3600)
    stuck_after_s: float = key(10.0, "A victim alive this long after SIGKILL is stuck, seconds.", least=0.1, most=3600)
    last_step: str = key("report", "What is done about a stuck victim.", choices=("report", "shutdown"))


@dataclass(frozen=True)
class PressureSection:
    """Revocation by what this node itself measures: revocable pods are squeezed first, then the fewest are revoked."""

    enabled: bool = key(default=False, doc="Squeeze and revoke on CPU and memory pressure of the node.")
    interval_s: float = key(1.0, "How often the node is measured under pressure, seconds.", least=0.2, most=60)
    cpu_stall_percent: float = key(
        20.0,
        "CPU pressure: a regular pod's tasks wait for a CPU this part of the time while the node has none free;"
        " 0: CPU is not watched.",
        least=0,
        most=100,
    )
    cpu_reserve_percent: float = key(
        10.0,
        "Part of the node's CPUs that squeezed pods leave free: their quota is the node less this, less all other use.",
        least=0,
        most=90,
    )
    min_cpus: float = key(0.1, "Squeezed pods keep this much CPU together, cores.", least=0.01, most=1024)
    memory_reserve_percent: float = key(
        5.0,
        "Memory pressure: less than this part of the node's memory is available; 0: memory is not watched.",
        least=0,
        most=99,
    )
    memory_stall_percent: float = key(
        10.0,
        "Memory pressure too: regular pods, or all of the node, wait for memory this part of the time while it is"
        " scarce; 0: waiting is not a sign.",
        least=0,
        most=100,
    )
    release_percent: float = key(
        50.0,
        "Pressure has passed below this part of the thresholds; memory is scarce below the reserve by this part.",
        least=1,
        most=99,
    )
    revoke_after_s: float = key(
        15.0, "Revoke when squeezing did not suffice for this long, and so on, seconds.", least=0, most=86400
    )
    starved_percent: float = key(
        10.0,
        "Squeezed pods that get less than this part of the cpus they hold are revoked; 0: none for lack of CPU.",
        least=0,
        most=100,
    )
    cool_down_s: float = key(
        60.0, "A squeeze is kept this long after the pressure has passed, seconds.", least=1, most=86400
    )
    protect: tuple[str, ...] = key(
        (), "Cgroups whose waiting counts as that of regular pods, such as /system.slice.", absolute=True
    )


@dataclass(frozen=True)
class LogSection:
    """The log, and the journal of events in the Mesos sandbox."""

    level: str = key("info", "Least level that is written.", choices=("debug", "info", "warning", "error"))
    format: str = key(
        "auto", "On stderr: auto is console on a terminal, else json.", choices=("auto", "json", "console")
    )
    target: str = key(
        "stderr",
        "Where the log goes: stderr is a file of the Mesos sandbox, which the agent lets grow; sandbox is executor.log "
        "there, which rotates. What sandbox, journald or syslog does not take goes to stderr.",
        choices=("stderr", "sandbox", "journald", "syslog"),
    )
    max_bytes: int = key(8388608, "Size at which executor.log is rotated (one older file is kept), bytes.", least=4096)
    journal_max_bytes: int = key(
        8388608, "Size at which journal.jsonl is rotated (one older file is kept), bytes.", least=4096
    )


@dataclass(frozen=True)
class ControlSection:
    """The control socket and metrics."""

    metrics_port: int = key(0, "TCP port of /metrics on 127.0.0.1; 0: on the control socket only.", least=0, most=65535)


@dataclass(frozen=True)
class TracesSection:
    """Traces of launches, for OpenTelemetry."""

    endpoint: str = key(
        "",
        "Receiver of OTLP over HTTP, such as http://127.0.0.1:4318; empty: no traces are made.",
        http=True,
    )


@dataclass(frozen=True)
class Config:
    containerd: ContainerdSection = field(default_factory=ContainerdSection)
    cni: CniSection = field(default_factory=CniSection)
    dns: DnsSection = field(default_factory=DnsSection)
    node: NodeSection = field(default_factory=NodeSection)
    cgroups: CgroupsSection = field(default_factory=CgroupsSection)
    pods: PodsSection = field(default_factory=PodsSection)
    retention: RetentionSection = field(default_factory=RetentionSection)
    roles: RolesSection = field(default_factory=RolesSection)
    policy: PolicySection = field(default_factory=PolicySection)
    disk: DiskSection = field(default_factory=DiskSection)
    images: ImagesSection = field(default_factory=ImagesSection)
    revocation: RevocationSection = field(default_factory=RevocationSection)
    pressure: PressureSection = field(default_factory=PressureSection)
    lending: LendingSection = field(default_factory=LendingSection)
    log: LogSection = field(default_factory=LogSection)
    control: ControlSection = field(default_factory=ControlSection)
    traces: TracesSection = field(default_factory=TracesSection)


def sections() -> dict[str, type]:
    """Name and dataclass of every section, in the file's order."""
    return get_type_hints(Config)


def load(text: str | None, environ: Mapping[str, str], *, source: str = "configuration") -> Config:
    """The configuration from a TOML file's text (None: no file) and the environment; `source` names the file in errors.

    Raises InvalidConfig, for the first fault: an unknown name, a wrong type, or a value outside of its limits; the
    subject is file and key, or the variable.
    """
    file, variables = decode_file(text or "", source, sections()), decode_variables(environ, sections())
    for fault in (*file.faults, *variables.faults):
        raise fault
    return build(file.values, variables.values)


def build(*layers: Values) -> Config:
    """From checked values, a later layer over an earlier one."""
    values: Values = {}
    for section, keys in (item for layer in layers for item in layer.items()):
        values.setdefault(section, {}).update(keys)
    return Config(**{name: cls(**values.get(name, {})) for name, cls in sections().items()})


def read(environ: Mapping[str, str], path: Path | None = None) -> Config:
    """The configuration of this node for a command: `path`, else what MESOS_POD_EXECUTOR_CONFIG names, else the default
    file, overridden by variables. Raises InvalidConfig; only the default file may be missing.
    """
    path = path or Path(environ.get(PATH_VARIABLE) or DEFAULT_PATH)
    return load(read_text(path, required=path != DEFAULT_PATH), environ, source=str(path))


if __name__ == "__main__":
    sys.stdout.write(default_file(sections()))
