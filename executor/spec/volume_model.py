"""The volumes of a pod and where its containers have them, as part of `executor.spec.model`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import field as _field
from enum import StrEnum

from executor.names import TaskId
from executor.spec.objects import DataKind


@dataclass(frozen=True)
class EmptyDir:
    """A directory that lives as long as the pod: `volumes/<name>` in the pod's directory, or `in_memory` a tmpfs, which
    has huge pages of `page_bytes` if that is not 0.
    """

    name: str
    size_limit_bytes: int | None = None
    in_memory: bool = False
    page_bytes: int = 0


@dataclass(frozen=True)
class HostPath:
    """`type` is Kubernetes' ("", Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice, BlockDevice)."""

    name: str
    path: str
    type: str = ""
    field: str = _field(default="", compare=False)
    """The path of the field that names it, for errors."""
    beneath: str = ""
    """The directory of the node that the policy allows: no link below it is followed. Empty: no such limit."""
    is_root: bool = False
    """It is the root file system of a container without an image, and mounted by no other name."""
    closed: tuple[str, ...] = ()
    """Directories of the node that it does not show, also if a link or another name of one leads there."""
    makes_missing: bool = False
    """Whether a directory is made where nothing is, with any `type`."""


@dataclass(frozen=True)
class Item:
    """One key of a ConfigMap or Secret as a file of a volume. `mode` None: the volume's."""

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True)
class DataFiles:
    """Files from a ConfigMap or Secret: its `items`, or every key where they are None. `field` is the path of the
    field that names it, for errors.
    """

    kind: DataKind
    name: str
    items: tuple[Item, ...] | None = None
    optional: bool = False
    field: str = ""


@dataclass(frozen=True)
class FixedFile:
    """A file whose content the pod itself decides: the downward API, or a secret of a Mesos task."""

    path: str
    content: bytes = field(repr=False)
    mode: int | None = None


@dataclass(frozen=True)
class FilesVolume:
    """A configMap, secret, downwardAPI or projected volume: files in memory that the executor writes."""

    name: str
    sources: tuple[DataFiles | FixedFile, ...]
    default_mode: int = 0o644


@dataclass(frozen=True)
class ClaimedVolume:
    """A persistent volume of Mesos among the task's resources, which the agent has put at `path` below the Mesos
    sandbox.
    """

    name: str
    id: str
    path: str
    read_only: bool = False


@dataclass(frozen=True)
class TaskSandbox:
    """The directory of a Mesos task, `tasks/<container>` in the pod's: what Mesos' pages show of it. It stays after
    the task, as long as its logs do.
    """

    name: str
    container: str
    task: TaskId


@dataclass(frozen=True)
class Uri:
    """What is fetched into the sandbox of a task before it starts. `name` is where, relative to the sandbox; `volume`
    names the HostPath of a file of the node, empty for HTTP. `extract`: its archive is unpacked in the sandbox.
    """

    value: str
    name: str
    executable: bool = False
    extract: bool = True
    volume: str = ""


Volume = EmptyDir | HostPath | FilesVolume | ClaimedVolume | TaskSandbox


class Propagation(StrEnum):
    NONE = "None"
    HOST_TO_CONTAINER = "HostToContainer"
    BIDIRECTIONAL = "Bidirectional"


class RecursiveReadOnly(StrEnum):
    DISABLED = "Disabled"
    IF_POSSIBLE = "IfPossible"
    ENABLED = "Enabled"


@dataclass(frozen=True)
class VolumeMount:
    """`sub_path` is the part of the volume that is mounted; with `expands` the container's `$(NAME)` are filled in."""

    volume: str
    path: str
    read_only: bool = False
    sub_path: str = ""
    expands: bool = False
    propagation: Propagation = Propagation.NONE
    recursive_read_only: RecursiveReadOnly = RecursiveReadOnly.DISABLED


@dataclass(frozen=True)
class FsGroup:
    """The group to which the pod's own volumes belong. `on_root_mismatch`: a claimed volume whose root has the group
    already is left as it is.
    """

    gid: int
    on_root_mismatch: bool = False
