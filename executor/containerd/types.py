"""What the containerd adapter takes and gives back. Pure: importing it loads neither gRPC nor protobuf.

Words are containerd's: a *task* here is a container's process tree, not a Mesos task; a snapshot has a *key* while it
is active and a *name* once it is committed; a *lease* keeps what was made under it from containerd's garbage
collector. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

LeaseId = NewType("LeaseId", str)

SNAPSHOTTER = "overlayfs"
RUNTIME = "io.containerd.runc.v2"
SHIM_GROUP_ANNOTATION = "io.containerd.runc.v2.group"
"""Containers whose specs carry the same value share one shim process."""


@dataclass(frozen=True)
class Descriptor:
    """An OCI content descriptor."""

    media_type: str
    digest: str
    size_bytes: int


@dataclass(frozen=True)
class ImageRecord:
    name: str
    target: Descriptor
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Lease:
    id: LeaseId
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Mount:
    type: str
    source: str
    options: tuple[str, ...]


class SnapshotKind(StrEnum):
    VIEW = "view"
    ACTIVE = "active"
    COMMITTED = "committed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Snapshot:
    """`key` is the key of an active snapshot or the name of a committed one."""

    key: str
    parent: str
    kind: SnapshotKind
    labels: Mapping[str, str]


@dataclass(frozen=True)
class RuncOptions:
    """Options of the runtime, as in containerd's runtime/v2/runc/options. Empty means runc's default."""

    binary_name: str = ""
    root: str = ""
    shim_cgroup: str = ""


@dataclass(frozen=True)
class Container:
    """A container's record. `spec` is the OCI document as JSON."""

    id: str
    image: str
    snapshot_key: str
    labels: Mapping[str, str]
    spec: bytes
    created_at: datetime | None


class TaskStatus(StrEnum):
    UNKNOWN = "unknown"
    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    PAUSING = "pausing"


@dataclass(frozen=True)
class Task:
    """A process that containerd runs: a container's first one (`exec_id` is empty) or an exec."""

    container_id: str
    exec_id: str
    pid: int
    status: TaskStatus
    exit_status: int
    exited_at: datetime | None


@dataclass(frozen=True)
class ExitStatus:
    """`exit_status` is the exit code, or 128 + the signal's number. `exited_at` is None if containerd does not know."""

    exit_status: int
    exited_at: datetime | None


@dataclass(frozen=True)
class TaskExit:
    container_id: str
    exec_id: str
    pid: int
    exit_status: int
    exited_at: datetime | None


@dataclass(frozen=True)
class TaskOom:
    """The kernel reported an OOM somewhere above or in the container's cgroup.

    Not proof that this container was hit: with a limit on a parent, every container of the subtree gets one. Attribute
    it by the leaf's own counter.
    """

    container_id: str


@dataclass(frozen=True)
class TaskStart:
    container_id: str
    exec_id: str
    pid: int


@dataclass(frozen=True)
class TaskDelete:
    container_id: str
    exec_id: str
    pid: int
    exit_status: int
    exited_at: datetime | None


@dataclass(frozen=True)
class Resync:
    """The subscription was interrupted and is live again: events may be missing, so list what there is."""


Event = TaskExit | TaskOom | TaskStart | TaskDelete | Resync
