"""What can happen to a pod and to a container of it: something came about, or was asked for. Pure data.

lifecycle.py and container_life.py decide what follows from an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from executor.errors import ExecutorError
from executor.names import RevocationId
from executor.probes.state import Verdict


class StopCause(StrEnum):
    KILL = "kill"  # the scheduler's KILL
    SHUTDOWN = "shutdown"  # the executor ends
    REVOKED = "revoked"
    DEADLINE = "deadline"  # activeDeadlineSeconds, max_completion_time
    DISK = "disk"  # it uses more disk than it may
    GROUP = "group"  # another task of the same task group failed


OOMD = "systemd-oomd"


@dataclass(frozen=True)
class Oom:
    """The kernel killed a process for memory, or systemd-oomd did. `level` is the cgroup whose limit was met."""

    level: str  # container, pod, role, class (its subtree), executor (the Mesos container), node; systemd-oomd
    limit_bytes: int | None = None
    revocable: bool = False  # the pod's class


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
class RunOver:
    """This run of the container has taken as long as it may."""

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
    grace_s: float | None = None  # its own, where that is less than the pod's


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
    | RunOver
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
    | RunOver
)
RunEvent = (
    ContainerStarted | StartFailed | PostStartEnded | Probed | ContainerExited | OutputCollected | KillDue | RunOver
)  # fmt: skip
"""These name the run of the container that they belong to, and may come when that run is over."""
