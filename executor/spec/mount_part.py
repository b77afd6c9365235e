"""Which part of its volume a mount shows, and how many mounts of the node a pod needs. Pure.

Source: Kubernetes, "Using subPath with expanded environment variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from executor.errors import InvalidTask
from executor.spec import volume_files
from executor.spec.expansion import Budget, expanded
from executor.spec.model import PodSpec
from executor.spec.reading.marks import shown
from executor.spec.volume_model import EmptyDir, VolumeMount

NODE_MOUNTS_MAX: Final = 512
"""The mounts of one pod. A mount namespace has 100,000 (fs.mount-max), which all pods of the node share."""


def check_count(pod: PodSpec) -> None:
    """That the node can make all mounts of the pod: one for each volume in memory, each subPath and each mount of a
    hostPath. Raises InvalidTask.
    """
    of_node = {volume.name for volume in pod.host_paths}
    in_memory = sum(isinstance(each, EmptyDir) and each.in_memory for each in pod.volumes)
    mounts = (mount for container in pod.containers for mount in container.mounts)
    count = in_memory + sum(bool(mount.sub_path) or mount.volume in of_node for mount in mounts)
    if count > NODE_MOUNTS_MAX:
        raise InvalidTask(
            f"the pod needs {count} mounts on the node, more than {NODE_MOUNTS_MAX}",
            subject="spec.volumes",
            hint="each volume in memory, each subPath and each mount of a hostPath is one: mount whole volumes",
        )


def part(mount: VolumeMount, variables: Mapping[str, str], container: str) -> str:
    """The subPath; of an expression with its variables filled in. Raises InvalidTask, whose message has the expression
    and no variable's value: that may be a secret.
    """
    if not mount.expands:
        return mount.sub_path
    subject, known = f"container {container}, subPathExpr of {mount.path}", _Noting(variables)
    filled = expanded(mount.sub_path, known, Budget(), subject)
    if known.missing:
        raise InvalidTask(f"there is no variable {shown(known.missing[0])}", subject=subject)
    try:
        return volume_files.relative(filled, subject)
    except InvalidTask as error:
        hint = "its variables make it empty, absolute, too long, or lead upwards with .."
        raise InvalidTask(f"{shown(mount.sub_path)!r} is not a relative path", subject=subject, hint=hint) from error


class _Noting(dict[str, str]):
    """Variables that note which ones were asked for and are not there."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.missing: list[str] = []

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        if name not in self:
            self.missing.append(name)
        return super().get(name, default)
