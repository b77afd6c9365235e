"""The words of the field as types, and how objects of one pod are named. Pure.

One pod has one id; every record that the executor leaves anywhere on the node (container, snapshot, lease, netns,
IPAM entry, cgroup, DNS file) carries it, so that ownership can be proven before anything is removed.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import NewType

FrameworkId = NewType("FrameworkId", str)
ExecutorId = NewType("ExecutorId", str)
AgentId = NewType("AgentId", str)
TaskId = NewType("TaskId", str)
MesosContainerId = NewType("MesosContainerId", str)
Role = NewType("Role", str)
"""A Mesos role: `*` or a path such as `eng/dev`."""
PodId = NewType("PodId", str)
"""`pod-` and 12 hexadecimal digits."""
ContainerId = NewType("ContainerId", str)
"""containerd's id: the pod's id, `-`, the container's name."""
RevocationId = NewType("RevocationId", str)

OWNER_LABEL = "mesos-pod-executor/executor"
LOCK_LABEL = "mesos-pod-executor/lock"
"""Which lock is the owner's: see executor/node/lock_identity.py."""
POD_LABEL = "mesos-pod-executor/pod"
SERVICE_KEY = "mesos-pod-executor/service"
"""Annotation, or label, of a pod: the services it stands behind, separated by commas."""

NO_NETWORK = "none"
"""In the place of a CNI network's name: the pod has a network namespace with loopback only."""

TASKS = "tasks"
"""Links to the sandboxes of tasks in the Mesos sandbox, where Mesos' pages look for them; in a pod's directory the
sandboxes themselves.
"""
PODS = "pods"
"""Directory of the pods' directories, in the Mesos sandbox."""

POD_PREFIX = "pod-"
_POD_ID = re.compile(r"pod-[0-9a-f]{12}")
_CONTAINERD_ID_MAX = 76  # containerd's identifiers.Validate


class PodClass(StrEnum):
    """Mesos's two kinds of resources, as a property of a whole pod."""

    REGULAR = "regular"
    REVOCABLE = "revocable"


def pod_id(entropy: bytes) -> PodId:
    """A pod's id from at least 6 random bytes."""
    return PodId(POD_PREFIX + entropy[:6].hex())


def is_pod_id(text: str) -> bool:
    """Whether `text` has the form of a pod's id."""
    return _POD_ID.fullmatch(text) is not None


def container_id(pod: PodId, container: str, incarnation: int = 1) -> ContainerId:
    """containerd's id of a pod's container: at most 76 characters, a long name ends in a digest of itself. A later
    `incarnation` has an id of its own, for containerd may be unable to use an earlier one again.
    """
    suffix = "" if incarnation == 1 else f".{incarnation}"
    room = _CONTAINERD_ID_MAX - len(pod) - 1 - len(suffix)
    if len(container) > room:
        container = f"{container[: room - 9].rstrip('-')}-{hashlib.sha256(container.encode()).hexdigest()[:8]}"
    return ContainerId(f"{pod}-{container}{suffix}")


def pod_of(container: ContainerId) -> PodId:
    """The pod in a container's id."""
    return PodId(container[: len(POD_PREFIX) + 12])
