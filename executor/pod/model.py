"""What the two life cycles are made of: states, events, effects. Pure data, no decisions; those are in lifecycle.py (a
pod) and container_life.py (one container).

An event is something that happened, or that was asked for. An effect is something that must now be done (effects.py);
every effect is idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from executor.errors import ExecutorError
from executor.mesos.status import DISK_LIMIT, TaskState
from executor.names import RevocationId, TaskId
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


class StopCause(StrEnum):
    KILL = "kill"  # the scheduler's KILL
    SHUTDOWN = "shutdown"  # the executor ends
    REVOKED = "revoked"
    DEADLINE = "deadline"  # activeDeadlineSeconds, max_completion_time
    DISK = "disk"  # it uses more disk than it may
    GROUP = "group"  # another task of the same task group failed


@dataclass(frozen=True)
class Oom:
    """The kernel killed a process for memory. `level` is the cgroup whose limit was met."""

    level: str  # container, pod, role, class (its subtree), executor (the Mesos container), node
    limit_bytes: int | None = None
    revocable: bool = False  # the pod's class


# --- events --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Launch:
    pass


@dataclass(frozen=True)
class SandboxReady:
    """Everything is made, nothing is started."""

    ips: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetUpFailed:
    error: ExecutorError


@dataclass(frozen=True)
class ContainerStarted:
    """This run of the container; `pid` is its first process."""

    container: str
    run: int
    pid: int


@dataclass(frozen=True)
class StartFailed:
    container: str
    run: int
    error: ExecutorError


@dataclass(frozen=True)
class PostStartEnded:
    """The container's postStart hook; `error` is empty if it has run well."""

    container: str
    run: int
    error: str = ""


@dataclass(frozen=True)
class Probed:
    """What a probe of this run of the container says from now on."""

    container: str
    run: int
    verdict: Verdict


@dataclass(frozen=True)
class ContainerExited:
    """The first process of this run has ended. May come twice: by containerd's event, and by a look-up after the stream
    was cut.
    """

    container: str
    run: int
    exit_code: int
    oom: Oom | None = None
    ran_s: float = 0.0
    oom_kills: int = 0  # processes of this run that the kernel killed for memory
    pid: int | None = None


@dataclass(frozen=True)
class OutputCollected:
    """The log has everything that this run of the container wrote, or has waited long enough for it."""

    container: str
    run: int
    message: str = ""  # the container's termination message


@dataclass(frozen=True)
class RestartDue:
    container: str


@dataclass(frozen=True)
class KillDue:
    """The grace of the stop of one container is over."""

    container: str
    run: int


@dataclass(frozen=True)
class StartNow:
    """The container's turn has come. From the pod's life cycle."""

    container: str


@dataclass(frozen=True)
class StopNow:
    """The container's turn to end has come: its pod ends. From the pod's life cycle."""

    container: str


@dataclass(frozen=True)
class Stop:
    """End the pod. A later Stop with less grace overtakes an earlier one; the first one's cause is what is reported."""

    cause: StopCause
    grace_s: float | None = None  # None: the pod's own
    message: str = ""
    revocation: RevocationId | None = None
    reason: str = ""  # REVOKED: as the request gave it
    limit_bytes: int | None = None  # DISK: the limit that was passed


@dataclass(frozen=True)
class GraceOver:
    pass


@dataclass(frozen=True)
class Dead:
    """No process is left in the pod's cgroup and no start is under way."""


@dataclass(frozen=True)
class Stuck:
    """The pod's processes do not die; the executor goes on trying."""

    pids: tuple[int, ...]


@dataclass(frozen=True)
class NetworkReleased:
    """The addresses and host ports of a dead pod are free; other things of it may be left."""


@dataclass(frozen=True)
class TornDown:
    leaked: tuple[str, ...] = ()


@dataclass(frozen=True)
class TearDownDue:
    """What is left of the pod is torn down again before its end is reported."""


Event = (
    Launch
    | SandboxReady
    | SetUpFailed
    | ContainerStarted
    | StartFailed
    | PostStartEnded
    | Probed
    | ContainerExited
    | OutputCollected
    | RestartDue
    | KillDue
    | Stop
    | GraceOver
    | Dead
    | Stuck
    | NetworkReleased
    | TornDown
    | TearDownDue
)
ContainerEvent = (
    StartNow
    | ContainerStarted
    | StartFailed
    | PostStartEnded
    | Probed
    | ContainerExited
    | OutputCollected
    | RestartDue
    | StopNow
    | KillDue
)
RunEvent = (
    ContainerStarted | StartFailed | PostStartEnded | Probed | ContainerExited | OutputCollected | KillDue
)  # fmt: skip
"""These name the run of the container that they belong to, and may come when that run is over."""


# --- effects -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SetUp:
    """Make cgroups, network namespace and attachments, files, snapshots, containers. Ends in SandboxReady or
    SetUpFailed.
    """


@dataclass(frozen=True)
class Start:
    """Start this run of the container. Ends in ContainerStarted or StartFailed."""

    container: str
    run: int
    fresh: bool = False  # a restart: from a new snapshot


@dataclass(frozen=True)
class StartProbes:
    """Run the postStart hook of this run of the container, which ends in PostStartEnded, and begin to probe it: each
    verdict is a Probed.
    """

    container: str
    run: int


@dataclass(frozen=True)
class StopProbes:
    """And give up a postStart hook that still runs."""

    container: str


@dataclass(frozen=True)
class CollectOutput:
    """After `after_s`, wait until the container's log has its output. Ends in OutputCollected."""

    container: str
    run: int
    after_s: float = 0.0
    exit_code: int = 0


@dataclass(frozen=True)
class Kill:
    """SIGKILL to everything in the cgroup of this run of the container. Ends in ContainerExited."""

    container: str
    run: int


@dataclass(frozen=True)
class After:
    """Post `event` after `delay_s`."""

    delay_s: float
    event: Event


@dataclass(frozen=True)
class Abort:
    """Cancel a SetUp under way; it still ends in its event."""


@dataclass(frozen=True)
class Terminate:
    """The preStop hook, then SIGTERM or the image's stop signal to the first process of this run of the container."""

    container: str
    run: int


@dataclass(frozen=True)
class Destroy:
    """Kill the pod's cgroup until nothing lives there and no start is under way. Ends in Dead."""

    collect_output: bool = True  # wait for the logs


@dataclass(frozen=True)
class TearDown:
    """Release everything in reverse order. Always ends in TornDown."""

    gently: bool = False  # regular pods need the CPU more
    over_disk: bool = False  # its files go before those of others


@dataclass(frozen=True)
class Report:
    """A status update for these tasks of the pod."""

    tasks: tuple[TaskId, ...]
    state: TaskState
    reason: str | None = None
    message: str = ""
    revocation: RevocationId | None = None
    limit_bytes: int | None = None  # the limit of its own that was met: of disk for that reason, else of memory
    healthy: bool | None = None  # None: nothing probes these tasks
    check_status: Mapping[str, Any] | None = None  # Mesos' CheckStatusInfo


ContainerEffect = Start | StartProbes | StopProbes | CollectOutput | After | Terminate | Kill
Effect = SetUp | Abort | ContainerEffect | Destroy | TearDown | Report


# --- the pod -------------------------------------------------------------------------------------------------


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

    @property
    def alive(self) -> tuple[Container, ...]:
        """Those that have been started and have not ended."""
        return tuple(each for each in self.containers.values() if each.phase in ALIVE)

    @property
    def main(self) -> tuple[Container, ...]:
        """Without init containers and sidecars."""
        return tuple(each for each in self.containers.values() if each.spec.kind is ContainerKind.MAIN)
