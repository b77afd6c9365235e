"""What a pod's life is made of: states, events, effects. Pure data, no decisions; the decisions are in lifecycle.py.

An event is something that happened (to the pod, or a wish of the scheduler). An effect is something that the runner
must now do; every effect is idempotent and ends in an event, except `Report`, `Terminate` and `Abort`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from executor.errors import ExecutorError
from executor.mesos.status import DISK_LIMIT, TaskState
from executor.names import RevocationId, TaskId
from executor.spec.model import PodSpec


class State(StrEnum):
    NEW = "new"
    SETTING_UP = "setting-up"  # sandbox, images and containers are made; none of the pod's own code has run
    STARTING = "starting"  # the containers are being started
    RUNNING = "running"
    STOPPING = "stopping"  # asked to end, within its grace
    DESTROYING = "destroying"  # its cgroup is being killed
    TEARING_DOWN = "tearing-down"  # nothing runs; what it held is being released
    ENDED = "ended"


class Phase(StrEnum):
    """The state of one container."""

    CREATED = "created"
    RUNNING = "running"
    BACKING_OFF = "backing-off"  # exited, will be started again
    EXITED = "exited"


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
    container: str
    pid: int


@dataclass(frozen=True)
class StartFailed:
    container: str
    error: ExecutorError


@dataclass(frozen=True)
class ContainerExited:
    container: str
    exit_code: int
    oom: Oom | None = None
    ran_s: float = 0.0
    oom_kills: int = 0  # processes of this run that the kernel killed for memory


@dataclass(frozen=True)
class RestartDue:
    container: str


@dataclass(frozen=True)
class Stop:
    """End the pod. A later Stop with less grace overtakes an earlier one; the first one's cause is what is reported."""

    cause: StopCause
    grace_s: float | None = None  # None: the pod's own
    message: str = ""
    revocation: RevocationId | None = None
    limit_bytes: int | None = None  # DISK: the limit that was passed


@dataclass(frozen=True)
class GraceOver:
    pass


@dataclass(frozen=True)
class Dead:
    """No process is left in the pod's cgroup and no start is under way."""


@dataclass(frozen=True)
class Stuck:
    """The pod's processes do not die; the runner goes on trying."""

    pids: tuple[int, ...]


@dataclass(frozen=True)
class NetworkReleased:
    """The addresses and host ports of a dead pod are free, whatever else of it is left."""


@dataclass(frozen=True)
class TornDown:
    leaked: tuple[str, ...] = ()


@dataclass(frozen=True)
class TearDownDue:
    """What is left of the pod is to be tried again before its end is told."""


Event = (
    Launch
    | SandboxReady
    | SetUpFailed
    | ContainerStarted
    | StartFailed
    | ContainerExited
    | RestartDue
    | Stop
    | GraceOver
    | Dead
    | Stuck
    | NetworkReleased
    | TornDown
    | TearDownDue
)


# --- effects -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SetUp:
    """Make cgroups, network namespace and attachments, files, snapshots, containers. Ends in SandboxReady or
    SetUpFailed.
    """


@dataclass(frozen=True)
class Start:
    """Start these containers. Ends in one ContainerStarted or StartFailed for each."""

    containers: tuple[str, ...]
    fresh: bool = False  # a restart: from a new snapshot


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
    """SIGTERM (or the image's stop signal) to the first process of these containers."""

    containers: tuple[str, ...]


@dataclass(frozen=True)
class Destroy:
    """Kill the pod's cgroup until nothing lives there and no start is under way. Ends in Dead."""


@dataclass(frozen=True)
class TearDown:
    """Release everything in reverse order. Always ends in TornDown."""


@dataclass(frozen=True)
class Report:
    """A status update for these tasks of the pod."""

    tasks: tuple[TaskId, ...]
    state: TaskState
    reason: str | None = None
    message: str = ""
    revocation: RevocationId | None = None
    limit_bytes: int | None = None  # the limit of its own that was met: of disk for that reason, else of memory


Effect = SetUp | Start | After | Abort | Terminate | Destroy | TearDown | Report


# --- the pod -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ContainerStatus:
    phase: Phase = Phase.CREATED
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    oom: Oom | None = None
    oom_kills: int = 0  # processes of the last run that the kernel killed for memory
    message: str = ""


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
    containers: dict[str, ContainerStatus] = field(default_factory=dict)
    starting: frozenset[str] = frozenset()  # containers whose Start has not ended yet
    ips: tuple[str, ...] = ()
    stop: Stop | None = None  # the hardest Stop so far
    outcome: Outcome | None = None
    reported: frozenset[TaskId] = frozenset()  # tasks whose terminal state is out
    stuck: tuple[int, ...] = ()
    exited: bool = False  # every container had ended by itself before the pod's cgroup was killed
    ended_pids: frozenset[int] = frozenset()  # first processes that ended without anybody's SIGKILL, or for memory
    tear_downs: int = 0  # how often it was tried in vain
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
        return tuple(name for name, status in self.containers.items() if status.phase is Phase.RUNNING)
