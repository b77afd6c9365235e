"""What a pod is to run as, after every check: the types that all other parts of the executor read. Pure.

`executor.spec.launch` is the only way from a Mesos launch to a PodSpec. A PodSpec can be run on this node as far as
that can be known without looking at the node; everything else is an InvalidTask that names a field.
`executor.spec.reading.fields` lists what happens to each field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from executor.images.policy import PullPolicy
from executor.images.registry.credentials import Credential
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.spec.objects import Objects
from executor.spec.probes import NO_HOOKS, NO_PROBES, Hooks, Probes
from executor.spec.restart_rule import RestartRule
from executor.spec.security_model import DEFAULT_SECURITY, Security
from executor.spec.volume_model import (
    ClaimedVolume,
    EmptyDir,
    FilesVolume,
    FsGroup,
    HostPath,
    TaskSandbox,
    Uri,
    Volume,
    VolumeMount,
)

SHM_BYTES = 64 << 20
"""The size of /dev/shm where a container asks for no other size, as with all container engines."""
TERMINATION_PATH = "/dev/termination-log"
"""Kubernetes' terminationMessagePath where a container sets none."""
DEFAULT_GRACE_S = 30.0
"""Kubernetes' terminationGracePeriodSeconds where a pod sets none."""
DEFAULT_TASK_GRACE_S = 3.0
"""Mesos' grace for a task without kill_policy (src/launcher/executor.cpp)."""


class RestartPolicy(StrEnum):
    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class ContainerKind(StrEnum):
    """Source: Kubernetes, "Init Containers" and KEP-753."""

    INIT = "init"  # runs to its end before the next container starts
    SIDECAR = "sidecar"  # an init container with restartPolicy Always: it runs beside those after it
    MAIN = "main"


@dataclass(frozen=True)
class Policy:
    """What the node decides, mostly by its configuration. `default_image` is for tasks that name none; empty: refuse
    them. `runtime_classes` are names of RuntimeClasses that mean the node's runtime. `app_armor_profile` is that of
    RuntimeDefault; empty: there is none.
    """

    default_image: str = ""
    termination_grace_s: float = DEFAULT_GRACE_S
    runtime_classes: tuple[str, ...] = ("runc",)
    has_app_armor: bool = False
    app_armor_profile: str = ""


@dataclass(frozen=True)
class RuntimeField:
    """A value of the downward API that is known only once the pod is placed, such as `status.podIP`. `optional`: the
    variable is left out where the pod has no such value.
    """

    path: str
    optional: bool = False


@dataclass(frozen=True)
class TakenText:
    """A value from a ConfigMap, a Secret or a field of the pod: no `$(NAME)` is expanded in it."""

    text: str = field(repr=False)
    secret: bool = False


EnvValue = str | RuntimeField | TakenText


@dataclass(frozen=True)
class Limits:
    """The limits of one container; None is no limit (or request) of its own. `cpus` in cores, `ephemeral_bytes` on the
    disk.
    """

    cpus: float | None = None
    memory_bytes: int | None = None
    ephemeral_bytes: int | None = None


RLimits = tuple[tuple[str, int, int], ...]
"""Name, soft and hard, as in `("RLIMIT_NOFILE", 1024, 4096)`."""


@dataclass(frozen=True)
class ContainerPort:
    container_port: int
    host_port: int | None = None
    protocol: str = "TCP"
    name: str = ""
    host_ip: str = ""


@dataclass(frozen=True)
class PortMapping:
    """The node's `host_port` leads to the pod's `container_port`; an empty `host_ip` is every address of the node."""

    host_port: int
    container_port: int
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True)
class TerminationMessage:
    """A file at `path` in the container, whose content goes into the status of its end. `fallback_to_logs`: where that
    is empty and the container failed, the end of its output does.
    """

    path: str = TERMINATION_PATH
    fallback_to_logs: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """`command` and `args` replace the image's ENTRYPOINT and CMD by Kubernetes' rules; None is: not given."""

    name: str
    image: str
    task_id: TaskId
    kind: ContainerKind = ContainerKind.MAIN
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    pull_policy: PullPolicy | None = None
    """None: Kubernetes' default for the image's name."""
    env: tuple[tuple[str, EnvValue], ...] = ()
    working_dir: str | None = None
    limits: Limits = Limits()
    requests: Limits = Limits()
    extended: Mapping[str, int] = field(default_factory=dict)
    """Kubernetes' extended resources, by name: they are only counted."""
    restart_policy: RestartPolicy | None = None
    """Its own; None: that of its pod."""
    restart_rules: tuple[RestartRule, ...] = ()
    """They come before the policy."""
    restarts_to_resize: frozenset[str] = frozenset()
    """What of cpu and memory cannot be changed while it runs."""
    huge_pages: Mapping[int, int] | None = None
    """Bytes of huge pages that it may use, by the bytes of a page; None: no limit of its own."""
    ports: tuple[ContainerPort, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    probes: Probes = NO_PROBES
    hooks: Hooks = NO_HOOKS
    stop_signal: int | None = None
    """Asks its first process to end; None: the image's STOPSIGNAL, else SIGTERM."""
    stops_group: bool = False
    """Whether that signal goes to the process group of the first process, as with Mesos' executors: a shell that waits
    for a command does not pass it on.
    """
    termination: TerminationMessage | None = None
    security: Security = DEFAULT_SECURITY
    rlimits: RLimits = ()
    shm_bytes: int | None = None
    """The size of /dev/shm; None: SHM_BYTES."""
    tty: bool = False
    """Whether its process has a terminal, which has no input."""
    grace_s: float | None = None
    """The time of its stop signal, with a pod that stops without another grace; None: the pod's."""
    deadline_s: float | None = None
    """How long a run of it may take; None: no limit."""
    default_dir: str = "/"
    """Where it starts if neither it nor its image names a directory."""
    uris: tuple[Uri, ...] = ()
    path: str = field(default="", compare=False)
    """Where the description has it, as in `spec.containers[0]`."""
    expand_variables: bool = True
    """Whether `$(NAME)` in command, args and env means a variable. A Mesos command keeps its `$(...)` for the shell."""


@dataclass(frozen=True)
class WantedNetwork:
    """A CNI network to join; an empty name is the node's default. `network_info` is the framework's NetworkInfo; `mac`
    and `ips` are demanded of it, if there are any.
    """

    name: str
    network_info: Mapping[str, Any] = field(default_factory=dict)
    mac: str = ""
    ips: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostAlias:
    ip: str
    hostnames: tuple[str, ...]


@dataclass(frozen=True)
class DnsConfig:
    """`options` as resolv.conf(5) writes them, `ndots:5`."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class PodSpec:
    """One launch. `resources` are the sums over its tasks and the limits of the whole pod."""

    task_ids: tuple[TaskId, ...]
    name: str
    namespace: str
    uid: str
    pod_class: PodClass
    role: Role
    containers: tuple[ContainerSpec, ...]
    """In the order of their start: init containers and sidecars, then the main ones, which start together."""
    resources: Resources
    restart_policy: RestartPolicy = RestartPolicy.ALWAYS
    termination_grace_s: float = DEFAULT_GRACE_S
    active_deadline_s: float | None = None
    priority: int = 0
    networks: tuple[WantedNetwork, ...] = ()
    host_network: bool = False
    host_ports: tuple[PortMapping, ...] = ()
    """Ports of the node that must lead into the pod; empty with `host_network`, where they are the pod's already."""
    ingress_bits_per_s: int = 0
    egress_bits_per_s: int = 0
    """Limits of the first network, seen from the pod; 0 is none."""
    hostname: str = ""
    subdomain: str = ""
    task_names: tuple[str, ...] = ()
    """What each of `task_ids` is called in Mesos' names: its discovery name, or else its name."""
    host_aliases: tuple[HostAlias, ...] = ()
    dns_policy: str = "ClusterFirst"
    dns_config: DnsConfig = DnsConfig()
    volumes: tuple[Volume, ...] = ()
    fs_group: FsGroup | None = None
    objects: Objects = field(default=Objects(), repr=False)
    """The ConfigMaps, Secrets and claims that came with the pod."""
    pull_credentials: tuple[Credential, ...] = field(default=(), repr=False)
    """For the registries of its images; the node has its own besides."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    host_pid: bool = False
    host_ipc: bool = False
    share_pids: bool = False
    """Whether its containers share one PID namespace, of which none of them has the first process."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """Kernel parameters of the pod's own namespaces and their values, written with dots."""
    without_effect: tuple[str, ...] = ()
    """Paths of fields that were accepted and change nothing here."""

    @property
    def shares_memory(self) -> bool:
        """Whether its containers have one IPC namespace and one /dev/shm, of the largest size that one asks for."""
        return len(self.containers) > 1 and not self.host_ipc

    @property
    def empty_dirs(self) -> tuple[EmptyDir, ...]:
        """Those on disk."""
        return tuple(volume for volume in self.volumes if isinstance(volume, EmptyDir) and not volume.in_memory)

    @property
    def files_volumes(self) -> tuple[FilesVolume, ...]:
        """Those whose files the executor writes into memory."""
        return tuple(volume for volume in self.volumes if isinstance(volume, FilesVolume))

    @property
    def claimed_volumes(self) -> tuple[ClaimedVolume, ...]:
        """Persistent volumes of Mesos."""
        return tuple(volume for volume in self.volumes if isinstance(volume, ClaimedVolume))

    @property
    def task_sandboxes(self) -> tuple[TaskSandbox, ...]:
        """Those of Mesos tasks without a pod in their data."""
        return tuple(volume for volume in self.volumes if isinstance(volume, TaskSandbox))

    @property
    def host_paths(self) -> tuple[HostPath, ...]:
        """Directories, files and devices of the node."""
        return tuple(volume for volume in self.volumes if isinstance(volume, HostPath))
