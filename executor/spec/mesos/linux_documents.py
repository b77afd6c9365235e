"""What a task asks of Linux (LinuxInfo, RLimitInfo, TTYInfo) and its limits, every field with what happens to it here.
Pure.

Source of the fields: include/mesos/v1/mesos.proto of 1.11.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from executor.spec.mesos.message import Message
from executor.spec.reading.marks import accepted, refused, supported

Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
RLIMITS = (
    "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO",
    "RTTIME", "SIGPENDING", "STACK",
)  # fmt: skip
"""As in getrlimit(2)."""


class RLimit(Message, frozen=True):
    type: Annotated[
        str, supported("RLMT_NOFILE, RLMT_CORE, ...; without it nofile is [pods] nofile, and at most 1048576")
    ]
    soft: Annotated[Amount | None, supported("with hard; without both there is no limit")] = None
    hard: Annotated[
        Amount | None,
        supported("more than the node's own needs CAP_SYS_RESOURCE there; the role's policy judges RTPRIO and NICE"),
    ] = None


class RLimitInfo(Message, frozen=True):
    rlimits: Annotated[tuple[RLimit, ...], supported()] = ()


class CapabilityInfo(Message, frozen=True):
    capabilities: Annotated[tuple[str, ...], supported("without CAP_; what the role's policy allows")] = ()


class SeccompInfo(Message, frozen=True):
    profile_name: Annotated[str, supported("a file below [pods] seccomp_dir, in the form of the OCI runtime-spec")] = ""
    unconfined: Annotated[bool, supported("where the role's policy has the level privileged")] = False


class LinuxInfo(Message, frozen=True):
    effective_capabilities: Annotated[
        CapabilityInfo | None, supported("these and no others; with bounding_capabilities they must be among those")
    ] = None
    bounding_capabilities: Annotated[CapabilityInfo | None, supported("as effective_capabilities without that")] = None
    capability_info: Annotated[Any, refused("Mesos itself gave it up; use effective_capabilities")] = None
    share_pid_namespace: Annotated[
        bool, supported("the containers of the group share one, and all must say so; it is not the executor's")
    ] = False
    seccomp: Annotated[SeccompInfo, supported()] = SeccompInfo()
    shm_size: Annotated[
        Annotated[int, Meta(ge=0, le=2**32 - 1)], supported("MiB of /dev/shm, which is the pod's: the most counts")
    ] = 0
    ipc_mode: Annotated[
        Literal["UNKNOWN", "PRIVATE", "SHARE_PARENT"],
        accepted("the tasks of a group share one IPC namespace, which is not the executor's", reported=False),
    ] = "PRIVATE"
    share_cgroups: Annotated[
        bool, supported("the tasks of a group share the mem of all; false: each has the mem of its own at most")
    ] = True


class TtyInfo(Message, frozen=True):
    window_size: Annotated[dict[str, Any], accepted("the terminal has no user")] = {}  # noqa: RUF012 msgspec copies it


class Scalar(Message, frozen=True):
    value: Annotated[float | Literal["Infinity"], supported()]


class TaskLimits(Message, frozen=True):
    cpus: Annotated[Scalar | None, supported("the most cores, by the CPU quota; Infinity is none")] = None
    mem: Annotated[Scalar | None, supported("the task's own mem: a pod never has more")] = None
