"""What must be done for a pod, as lifecycle.py and container_life.py decide. Pure data.

Every effect is idempotent. executor/pod/performer.py begins each of them, but for two: After is a timer of
executor/pod/inbox.py, and Report goes to executor/reporting/reporter.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.mesos.status import TaskState
from executor.names import RevocationId, TaskId
from executor.pod.life.events import Event


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
