"""What [policy] decides beside the standard: networks, addresses, priorities, protected directories. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from executor.config.role_policy import Level, RolePolicy, is_within
from executor.names import NO_NETWORK
from executor.policy.baseline import host_path_problem
from executor.policy.violation import Violation, is_of_tasks
from executor.spec.model import PodSpec
from executor.spec.network_annotations import NETWORKS_KEY
from executor.spec.reading.marks import shown

KERNEL: Final = ("/proc", "/sys", "/dev")
SCHEDULING: Final = {"RLIMIT_RTPRIO": 0, "RLIMIT_NICE": 20}
"""Up to these limits, which are the kernel's own, a process gets nothing that CAP_SYS_NICE governs (setrlimit(2))."""


def networks(pod: PodSpec, policy: RolePolicy, default_network: str) -> Iterator[Violation]:
    """Every CNI network that the pod joins is one of [policy] networks, where the role has that key."""
    if policy.networks is None or pod.host_network:
        return
    wanted = [wish.name or default_network for wish in pod.networks] or [default_network]
    for name in dict.fromkeys(filter(None, wanted)):
        if name not in (*policy.networks, NO_NETWORK):
            allowed = ", ".join(policy.networks) or "none"
            hint = f"allowed are: {allowed}; the operator can add it to networks of the role in [policy]"
            yield Violation(_networks_path(pod), "networks", f"joins the network {shown(name)}", hint)


def static_addresses(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """A pod that chooses its own IP or MAC address can take another's."""
    if policy.level is Level.PRIVILEGED or policy.static_addresses:
        return
    for wish in pod.networks:
        if wish.ips or wish.mac:
            wanted = ", ".join(filter(None, [*wish.ips, wish.mac]))
            hint = "leave the address out, or let the operator set static_addresses of the role in [policy]"
            yield Violation(_networks_path(pod), "static_addresses", f"demands the address {shown(wanted)}", hint)


def scheduling(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """A limit of RTPRIO or NICE gives what CAP_SYS_NICE governs. A process of real-time priority keeps all others from
    the CPUs, and no CPU quota and no weight of its pod holds for it (sched(7), cgroups' cpu.max).
    """
    if policy.level is Level.PRIVILEGED or "SYS_NICE" in policy.capabilities:
        return
    for one in pod.containers:
        for name, soft, hard in one.rlimits:
            if max(soft, hard) > SCHEDULING.get(name, max(soft, hard)):
                message = f"{name.replace('RLIMIT', 'RLMT')} above {SCHEDULING[name]} is what SYS_NICE governs"
                hint = "leave it out, or let the operator add SYS_NICE to capabilities of the role in [policy]"
                yield Violation(f"{one.path}.container.rlimit_info.rlimits", "Capabilities", message, hint)


def node_network(pod: PodSpec, policy: RolePolicy, *, has_network: bool) -> Iterator[Violation]:
    """A pod that names no network where no default is set would share the node's network without a word."""
    if has_network or pod.host_network or policy.level is Level.PRIVILEGED or policy.host_network:
        return
    hint = "name a CNI network; or the operator sets [cni] default_network (none: loopback only) or host_network"
    message = "the pod names no network and this node has no default: it would share the node's network"
    yield Violation(_networks_path(pod), "Host Namespaces", message, hint)


def shared_sysctls(pod: PodSpec, *, owns_network: bool) -> Iterator[Violation]:
    """A pod without a network of its own would set the sysctls of the node's or of the executor's network, at any
    level. executor/spec refuses those of a pod with hostNetwork.
    """
    if owns_network or pod.host_network:
        return
    for index, (name, _) in enumerate(pod.sysctls):
        if name.startswith("net."):
            path = f"spec.securityContext.sysctls[{index}].name"
            message = f"{shown(name)} would be set for all that share the pod's network"
            yield Violation(path, "Sysctls", message, "name a CNI network, or leave it out")


def protected_paths(pod: PodSpec, policy: RolePolicy, protected: Sequence[str]) -> Iterator[Violation]:
    """No hostPath volume is in a `protected` directory, at any level: they are the executor's own and containerd's.
    Below the level privileged it is in no directory of the kernel either, and above none of these.
    """
    for volume in pod.host_paths:
        if policy.level is not Level.PRIVILEGED and (volume.is_root or host_path_problem(pod, volume, policy)):
            continue  # it is a violation already
        if (seen := _protected(volume.path, policy, protected)) is not None:
            message = f"{shown(volume.path)} would show {seen} to the pod"
            yield Violation(volume.field, "protected directories", message, "no pod gets it: name another directory")


def _protected(path: str, policy: RolePolicy, protected: Sequence[str]) -> str | None:
    """The directory that a volume at `path` would show; None: no such one."""
    if policy.level is Level.PRIVILEGED:
        return next((each for each in protected if is_within(path, each)), None)
    if path in policy.devices:
        return None
    found = (each for each in (*protected, *KERNEL) if is_within(path, each) or is_within(each, path))
    return next(found, None)


def _networks_path(pod: PodSpec) -> str:
    if not is_of_tasks(pod) and NETWORKS_KEY in pod.annotations:
        return f"metadata.annotations['{NETWORKS_KEY}']"
    return "TaskInfo.container.network_infos"
