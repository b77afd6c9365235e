"""A pod and its containers, as their life cycles know them. Pure data; the decisions are in lifecycle.py (a pod) and
container_life.py (one container).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from executor.mesos.status import DISK_LIMIT, TaskState
from executor.names import RevocationId, TaskId
from executor.pod.life.events import Oom, Stop, StopCause
from executor.probes.state import Verdict
from executor.spec.model import ContainerKind, ContainerSpec, PodSpec, RestartPolicy
from executor.spec.probes import Kind


class State(StrEnum):
    NEW = "new"
    SETTING_UP = "setting-up"  # sandbox, images and containers are made; none of the pod's own code has run
    INITIALIZING = "initializing"  # its init containers run, one after the other
    STARTING = "starting"  # the containers are being started
    RUNNING = "running"
    STOPPING = "stopping"  # its containers are asked to end, in their order, within its grace
    DESTROYING = "destroying"  # its cgroup is being killed
    TEARING_DOWN = "tearing-down"  # nothing runs; what it held is being released
    ENDED = "ended"


class Phase(StrEnum):
    """The state of one container."""

    CREATED = "created"  # waits for its turn: runc is there, none of its own code has run
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"  # it got its stop signal
    ENDING = "ending"  # its first process has ended; its output is awaited, or what explains a SIGKILL
    BACKING_OFF = "backing-off"  # exited, will be started again
    EXITED = "exited"


ALIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.ENDING})
"""A container in one of these holds up what waits for its end."""


@dataclass(frozen=True)
class Container:
    """One container, as its life cycle knows it."""

    spec: ContainerSpec
    restart_policy: RestartPolicy = RestartPolicy.NEVER  # its own: see container_life.begin
    grace_s: float = 0.0  # of a stop of this container alone
    phase: Phase = Phase.CREATED
    run: int = 0  # how many starts it had
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    oom: Oom | None = None
    oom_kills: int = 0  # processes of the last run that the kernel killed for memory
    message: str = ""  # of a start that failed; else the termination message of the last run
    stop_message: str = ""  # why the executor stopped this run, with its pod living on
    overdue: bool = False  # this run took as long as it may, and was killed
    hooked: bool = True  # its postStart hook, if it has one, has ended
    verdicts: Mapping[Kind, Verdict] = field(default_factory=dict)  # of this run's probes

    @property
    def name(self) -> str:
        """As the pod names it."""
        return self.spec.name

    @property
    def started(self) -> bool:
        """Whether what waits for this container may go on: it runs, its hook and its startup probe have passed."""
        return self.phase is Phase.RUNNING and self.hooked and self._passed(Kind.STARTUP)

    @property
    def ready(self) -> bool:
        """As Kubernetes means it: it may be sent requests."""
        return self.started and self._passed(Kind.READINESS) and self._passed(Kind.HEALTH)

    @property
    def is_watched(self) -> bool:
        """Whether it has a postStart hook or probes."""
        return bool(self.spec.probes) or self.spec.hooks.post_start is not None

    @property
    def is_probed(self) -> bool:
        """Whether its readiness is reported; a check of Mesos' is reported by itself."""
        return any(kind is not Kind.CHECK for kind, _ in self.spec.probes)

    def _passed(self, kind: Kind) -> bool:
        if self.spec.probes.of(kind) is None:
            return True
        verdict = self.verdicts.get(kind)
        return verdict is not None and verdict.ok


@dataclass(frozen=True)
class Outcome:
    """How the pod ends, decided once: the first reason stands."""

    state: TaskState
    reason: str | None
    message: str
    revocation: RevocationId | None = None
    limit_bytes: int | None = None  # as in Report


@dataclass(frozen=True)
class Pod:
    spec: PodSpec
    state: State = State.NEW
    containers: dict[str, Container] = field(default_factory=dict)  # in the order of their start
    ips: tuple[str, ...] = ()
    stop: Stop | None = None  # the hardest Stop so far
    own_graces: bool = False  # the stop gave no grace: a container that has one of its own keeps it
    outcome: Outcome | None = None
    reported: frozenset[TaskId] = frozenset()  # tasks whose terminal state is out
    stuck: tuple[int, ...] = ()
    exited: bool = False  # every container had ended by itself before the pod's cgroup was killed
    ended_pids: tuple[int, ...] = ()  # the last first processes whose end needs no explanation, the newest one last
    healthy: Mapping[TaskId, bool | None] = field(default_factory=dict)  # as reported last; None: nothing probes it
    tear_downs: int = 0  # how many attempts failed
    leaked: tuple[str, ...] = ()  # what the tear-down could not remove, in words

    @property
    def release_can_wait(self) -> bool:
        """Whether its release can wait: it was revoked for others, and no status waits for its host ports."""
        return self.stop is not None and self.stop.cause is StopCause.REVOKED and not self.spec.host_ports

    @property
    def over_disk(self) -> bool:
        """Whether it ends because of the disk that it uses: then its files go first."""
        return self.outcome is not None and self.outcome.reason == DISK_LIMIT

    @property
    def reported_after_tear_down(self) -> bool:
        """Whether its terminal status waits for the tear-down: on it Mesos gives ports and disk to others."""
        return bool(self.spec.host_ports) or self.over_disk

    @property
    def running(self) -> tuple[str, ...]:
        """The containers whose first process lives."""
        return tuple(each.name for each in self.containers.values() if each.phase in (Phase.RUNNING, Phase.STOPPING))

    def is_ready(self, container: Container) -> bool:
        """Whether this container of the pod is: none is while the pod's cgroup is killed, however long it lives on."""
        return container.ready and self.state not in (State.DESTROYING, State.TEARING_DOWN, State.ENDED)

    @property
    def alive(self) -> tuple[Container, ...]:
        """Those that have been started and have not ended."""
        return tuple(each for each in self.containers.values() if each.phase in ALIVE)

    @property
    def main(self) -> tuple[Container, ...]:
        """Without init containers and sidecars."""
        return tuple(each for each in self.containers.values() if each.spec.kind is ContainerKind.MAIN)
