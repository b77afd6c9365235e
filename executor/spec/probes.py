"""Probes and hooks of a container, as both descriptions (Kubernetes' and Mesos') are understood. Pure.

Sources: k8s.io/api/core/v1 (Probe, LifecycleHandler); CheckInfo and HealthCheck of Mesos' include/mesos/v1/mesos.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The first three are Kubernetes', the others Mesos'."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"
    HEALTH = "health"  # Mesos' HealthCheck
    CHECK = "check"  # Mesos' CheckInfo: it only tells


@dataclass(frozen=True)
class Exec:
    """A command in the container, without a shell. `env` is added to the container's own."""

    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class HttpGet:
    """GET of `path`, with its query. An empty `host` is the pod's address."""

    port: int
    path: str = "/"
    host: str = ""
    tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    loopback: str = ""
    """127.0.0.1 or ::1 of the pod's own network instead of a host: how Mesos checks."""


@dataclass(frozen=True)
class TcpSocket:
    """A connection is opened and closed. `host` and `loopback` are as in HttpGet."""

    port: int
    host: str = ""
    loopback: str = ""


@dataclass(frozen=True)
class Grpc:
    """grpc.health.v1.Health/Check of `service`, without TLS."""

    port: int
    service: str = ""


@dataclass(frozen=True)
class Sleep:
    """For hooks."""

    duration_s: float


Action = Exec | HttpGet | TcpSocket | Grpc
Hook = Exec | HttpGet | TcpSocket | Sleep


@dataclass(frozen=True)
class Probe:
    """What is asked, how often, and how many equal results in a row count. The defaults are Kubernetes'."""

    action: Action
    initial_delay_s: float = 0.0
    """From the start of the container."""
    period_s: float = 10.0
    """From start to start of a probe, or with `period_from_end` from the end of one to the start of the next."""
    period_from_end: bool = False
    timeout_s: float | None = 1.0
    """None: as long as it takes."""
    success_threshold: int = 1
    failure_threshold: int = 3
    fatal_failures: int | None = None
    """Failures in a row that end the container; None: they never do."""
    grace_s: float | None = None
    """The grace period of that end; None: the pod's own."""
    ignore_failures_s: float = 0.0
    """From the start of the container; a first success ends this time."""


@dataclass(frozen=True)
class Probes:
    """The probes of one container."""

    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    health: Probe | None = None
    check: Probe | None = None

    def of(self, kind: Kind) -> Probe | None:
        """The probe of this kind, if there is one."""
        found: Probe | None = getattr(self, kind.value)
        return found

    def __iter__(self) -> Iterator[tuple[Kind, Probe]]:
        return ((kind, probe) for kind in Kind if (probe := self.of(kind)) is not None)

    def __bool__(self) -> bool:
        return any(True for _ in self)


@dataclass(frozen=True)
class Hooks:
    """The hooks of one container: after its start, and before its stop signal."""

    post_start: Hook | None = None
    pre_stop: Hook | None = None


NO_PROBES = Probes()
NO_HOOKS = Hooks()
