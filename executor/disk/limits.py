"""Which limits a pod's disk has, and which pod is over one. Pure.

    the whole pod    the task's `disk` (Mesos); the sum of its containers' limits.ephemeral-storage (Kubernetes); the
                     lower one counts
    one container    its limits.ephemeral-storage: root file system and logs
    one volume       the emptyDir's sizeLimit

A pod without any of them is free, as in Mesos and Kubernetes. But where the agent enforces a quota on the sandbox of
the whole executor (the disk of the executor and of its tasks together), one pod can get all others killed. There the
sum is watched: before it meets the quota, pods whose tasks have no disk of their own are ended, revocable ones and
large ones first, as few as suffice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from executor.disk.usage import DiskUsage
from executor.names import PodId
from executor.spec.model import PodSpec
from executor.spec.peak import peak

QUOTA_PART: Final = 0.9
"""The part of the executor's quota: above it pods are ended that have no disk of their own."""
MIB: Final = 1 << 20


@dataclass(frozen=True)
class Over:
    """A limit that is passed. `message` names the pod's parts and the limit."""

    message: str
    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True)
class Held:
    """What one pod holds of the executor's quota. `entitled`: its tasks have disk, which is part of the quota."""

    pod: PodId
    used_bytes: int
    entitled: bool
    revocable: bool


def pod_limit(spec: PodSpec) -> tuple[int, str] | None:
    """Bytes for the whole pod and what says so; None: no limit."""
    of_containers = peak(spec.containers, lambda each: each.limits.ephemeral_bytes, 0)
    given = [(spec.resources.disk_bytes, "the task's disk"), (of_containers, "its limits.ephemeral-storage")]
    return min((each for each in given if each[0]), default=None)


def over(spec: PodSpec, usage: DiskUsage) -> Over | None:
    """The first limit that the pod is over; None: none."""
    checks = list(_checks(spec, usage))
    if checks and not usage.complete:
        limit_bytes, used_bytes, _, source = checks[-1]
        why = "its directories are nested too deeply, or moved too often, to be counted"
        text = f"{why}, and {source} is {size(limit_bytes)}"
        return Over(text, limit_bytes, used_bytes)
    for limit_bytes, used_bytes, what, source in checks:
        if used_bytes > limit_bytes:
            return Over(f"{what}, more than {source} of {size(limit_bytes)}", limit_bytes, used_bytes)
    return None


def room_bytes(spec: PodSpec, usage: DiskUsage) -> int | None:
    """How much more the pod may write before it is over a limit, at least 0; None: it has none."""
    return min((max(0, limit - used) for limit, used, _, _ in _checks(spec, usage)), default=None)


def has_limit(spec: PodSpec) -> bool:
    """Whether the pod, a container or a volume of it has a limit."""
    return any(True for _ in _checks(spec, DiskUsage()))


def _checks(spec: PodSpec, usage: DiskUsage) -> Iterator[tuple[int, int, str, str]]:
    """Limit and use in bytes, the use in words, and what the limit is."""
    for each in spec.containers:
        if each.limits.ephemeral_bytes:
            rootfs, logs = usage.rootfs.get(each.name, 0), usage.logs.get(each.name, 0)
            text = (
                f"container {each.name} uses {size(rootfs + logs)} of disk (rootfs {size(rootfs)}, logs {size(logs)})"
            )
            yield each.limits.ephemeral_bytes, rootfs + logs, text, "its limits.ephemeral-storage"
    for volume in spec.empty_dirs:
        if volume.size_limit_bytes:
            used = usage.volumes.get(volume.name, 0)
            yield volume.size_limit_bytes, used, f"volume {volume.name} holds {size(used)}", "its sizeLimit"
    if (limit := pod_limit(spec)) is not None:
        yield limit[0], usage.total, f"the pod uses {size(usage.total)} of disk ({_told(usage)})", limit[1]


def quota_room_bytes(held: Sequence[Held], own_bytes: int, quota_bytes: int) -> int:
    """What may still be written before pods are ended for the executor's quota; below 0: that is passed."""
    return int(quota_bytes * QUOTA_PART) - own_bytes - sum(each.used_bytes for each in held)


def quota_victims(held: Sequence[Held], own_bytes: int, quota_bytes: int) -> list[Held]:
    """The pods to end so that the agent does not end the executor; none while there is room, or if none would help.

    `own_bytes`: what the sandbox holds beside the living pods.
    """
    missing = -quota_room_bytes(held, own_bytes, quota_bytes)
    free = [each for each in held if not each.entitled and each.used_bytes]
    found: list[Held] = []
    for each in sorted(free, key=lambda each: (not each.revocable, -each.used_bytes)):
        if missing <= 0:
            break
        found.append(each)
        missing -= each.used_bytes
    return found


def quota_message(usage: DiskUsage, quota_bytes: int, own_bytes: int) -> str:
    """Why a pod without disk of its own is ended."""
    return (
        f"the pod uses {size(usage.total)} of disk ({_told(usage)}) and its task has no disk resource: the agent ends"
        f" the whole executor at {size(quota_bytes)}, of which {size(own_bytes)} are the executor's own files"
    )


def _told(usage: DiskUsage) -> str:
    return ", ".join(
        f"{name} {size(used)}" for name, used in usage.parts().items() if used or name not in ("other", "unlinked")
    )


def size(size_bytes: int) -> str:
    """In MiB, as Mesos counts disk."""
    return f"{size_bytes / MIB:.1f} MiB"
