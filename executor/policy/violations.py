"""All violations of one pod, and the pod as its role's policy lets it run. Pure.

A violation of baseline is one of restricted, too. What is allowed beyond the level is in the role's allow-lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from executor.config.role_policy import Level, RolePolicy, is_within
from executor.errors import together
from executor.policy import baseline, grants, restricted
from executor.policy.violation import Violation
from executor.spec.model import ContainerSpec, PodSpec
from executor.spec.volume_model import HostPath, RecursiveReadOnly


@dataclass(frozen=True)
class NodeFacts:
    """What a policy must know of the node. `default_network` is that of pods that name none; `shares_network`: a pod
    without any network shares the node's. `protected` are directories that no pod is shown.
    """

    default_network: str = ""
    shares_network: bool = True
    protected: Sequence[str] = ()


def violations(pod: PodSpec, policy: RolePolicy, node: NodeFacts) -> tuple[Violation, ...]:
    """Every violation, in the order of the standard's page; what [policy] decides beside it comes last."""
    controls: tuple[baseline.Control, ...] = ()
    if policy.level is not Level.PRIVILEGED:
        controls += baseline.CONTROLS
    if policy.level is Level.RESTRICTED:
        controls += restricted.CONTROLS
    found = [each for control in controls for each in control(pod, policy)]
    named = any(wish.name for wish in pod.networks)  # one without a name stands for the default
    has_network = named or bool(node.default_network) or not node.shares_network
    found += grants.node_network(pod, policy, has_network=has_network)
    found += grants.shared_sysctls(pod, owns_network=named or bool(node.default_network))
    found += grants.networks(pod, policy, node.default_network)
    found += grants.static_addresses(pod, policy)
    found += grants.scheduling(pod, policy)
    found += grants.protected_paths(pod, policy, node.protected)
    return tuple(found)


def admit(pod: PodSpec, policy: RolePolicy, node: NodeFacts) -> PodSpec:
    """The pod as it may run: each hostPath volume knows the directories that it must not show and the one that allows
    it, and is read only all the way down where that one is. Raises Forbidden, or FaultyTask for several violations.
    """
    if found := violations(pod, policy, node):
        raise together([each.fault for each in found])
    if not pod.host_paths:
        return pod
    if policy.level is Level.PRIVILEGED:
        closed = tuple(node.protected)
        return _limited(pod, {each.name: replace(each, closed=closed) for each in pod.host_paths})
    read_only = {each.name for each in pod.host_paths if baseline.read_only_part(each, policy) is not None}
    limited = {
        each.name: replace(
            each,
            closed=_closed(each, node),
            beneath=_beneath(each, policy),
            makes_missing=each.makes_missing and each.name not in read_only,
        )
        for each in pod.host_paths
    }
    containers = tuple(_reading(one, read_only) for one in pod.containers)
    return replace(_limited(pod, limited), containers=containers)


def _limited(pod: PodSpec, volumes: Mapping[str, HostPath]) -> PodSpec:
    return replace(pod, volumes=tuple(volumes.get(each.name, each) for each in pod.volumes))


def _closed(volume: HostPath, node: NodeFacts) -> tuple[str, ...]:
    """A device that is allowed is in /dev."""
    kernel = (each for each in grants.KERNEL if not is_within(volume.path, each))
    return (*node.protected, *kernel)


def _beneath(volume: HostPath, policy: RolePolicy) -> str:
    """What allows a volume: the closest directory, or the device itself."""
    covering = [each.prefix for each in policy.host_paths if is_within(volume.path, each.prefix)]
    return max(covering, key=len, default=volume.path)


def _reading(one: ContainerSpec, read_only: set[str]) -> ContainerSpec:
    """A file system that is mounted below a read-only one can be written, unless it is made read only as well."""
    mounts = tuple(
        replace(mount, recursive_read_only=RecursiveReadOnly.ENABLED) if mount.volume in read_only else mount
        for mount in one.mounts
    )
    return one if mounts == one.mounts else replace(one, mounts=mounts)
