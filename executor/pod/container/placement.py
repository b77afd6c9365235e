"""Where on this node one container runs: the bridge from the sandbox's paths to the OCI document."""

from __future__ import annotations

import asyncio
import platform
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgroups import Mode, oomd, qos
from executor.concurrency import in_own_thread
from executor.errors import NetworkFailure
from executor.names import PodClass
from executor.node import class_settings
from executor.node.claims import volumes_parent
from executor.oci import document as oci
from executor.oci import host_devices, image_volumes, local_profiles, node_root, secret_runtime, secret_words
from executor.oci.place import Placement
from executor.pod.resources import amounts
from executor.spec import capabilities, command
from executor.spec.model import ContainerKind, RuntimeField
from executor.volumes import host_mounts, shared_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cgroups import Tree
    from executor.containerd.types import Mount
    from executor.images.model import Image
    from executor.names import ContainerId, PodId
    from executor.oci.users import UserIds
    from executor.pod.node import Node
    from executor.pod.sandbox import Sandbox
    from executor.spec.model import ContainerSpec, EnvValue, PodSpec
    from executor.spec.security_model import Security

CAP_SYS_RESOURCE = 24
_POD_IPS = ("status.podIP", "status.podIPs")
NOFILE_MAX = 1048576
"""What container runtimes give; more than the own hard limit needs CAP_SYS_RESOURCE."""


def may_raise_limits() -> bool:
    """Whether this process has CAP_SYS_RESOURCE, which a negative oom_score_adj and higher rlimits need."""
    return bool(_own_capabilities("CapEff") >> CAP_SYS_RESOURCE & 1)


def _own_capabilities(name: str) -> int:
    with open("/proc/self/status") as status:  # noqa: PTH123 one line of a file of the kernel's
        return next(int(line.split()[1], 16) for line in status if line.startswith(f"{name}:"))


def made_late(spec: PodSpec) -> frozenset[str]:
    """The containers that are made when their turn to start comes, and not before: what a subPath or a hostPath names
    may be the work of the init containers before them.
    """
    found, has_before = set(), False
    host_paths = {volume.name for volume in spec.host_paths}
    for container in spec.containers:
        if has_before and any(mount.sub_path or mount.volume in host_paths for mount in container.mounts):
            found.add(container.name)
        has_before = has_before or container.kind is not ContainerKind.MAIN
    return frozenset(found)


async def runtime_spec(
    node: Node,
    pod_id: PodId,
    sandbox: Sandbox,
    spec: PodSpec,
    container: ContainerSpec,
    image: Image,
    user: UserIds,
    layers: Sequence[Mount],
) -> dict[str, Any]:
    """The OCI document of one container of a prepared pod. Raises ImageFailure, InvalidTask, Failure."""
    allowed = may_raise_limits()
    downward = _downward(node, sandbox, container)
    variables = command.own_variables(container, downward)
    cgroup = node.tree.container(spec.pod_class, spec.role, pod_id, container.name)
    placement = Placement(
        cgroups_path=cgroup.path,
        pod_dir=sandbox.directory,
        hostname=spec.hostname,
        netns_path=sandbox.namespace,
        owns_network=sandbox.netns is not None,
        pidns_path=None if sandbox.pids is None else await sandbox.pids.ensure(),
        ipcns_path=node.mounts(pod_id) / shared_memory.IPC if spec.shares_memory else None,
        shm=node.mounts(pod_id) / shared_memory.SHM if spec.shares_memory else None,
        **_files(sandbox.directory, image),
        unified=_unified(node, spec, container),
        oom_score_adj=qos.oom_score_adj(spec.pod_class, may_lower=allowed),
        nofile=(node.config.pods.nofile, NOFILE_MAX) if allowed else None,
        machine=platform.machine(),
        user=user,
        downward=downward,
        mount_sources=await sandbox.volumes.sources(container, variables),
        node_root=await in_own_thread(node_root.directories, "root") if image.is_node else (),
        image_volumes=await image_volumes.sources(image, layers, container, sandbox.image_volume),
        granted_devices=host_devices.granted(spec, container),
        devices=host_devices.devices() if container.security.privileged else (),
        bounding=capabilities.of_mask(_own_capabilities("CapBnd")),
        seccomp=await _seccomp(node, container.security),
        app_armor=await _app_armor(node, container.security),
        huge_page_sizes=host_devices.limited_huge_pages(node.tree.hierarchies.v1, node.tree.hierarchies.unified),
        block_io=class_settings.block_io(node.tree.hierarchies, spec.pod_class, node.config.cgroups),
        has_selinux=host_devices.has_selinux(),
        can_mount_recursively_read_only=host_mounts.has_mount_setattr(),
    )
    return oci.runtime_spec(spec, container, image.config, placement)


def _unified(node: Node, spec: PodSpec, container: ContainerSpec) -> dict[str, str]:
    """Files of the container's v2 group. Runtimes differ in the weight that they make of shares (runc 1.4 has another
    formula than 1.3): it is given as a weight, so that a resize can write the same one.
    """
    if node.tree.hierarchies.mode is not Mode.V2:
        return {}
    weight = amounts.of(spec, container.name, Mode.V2).cpu_weight
    found = {} if weight is None else {"cpu.weight": str(weight)}
    return found if node.config.pods.single_process_oom_kill else found | {"memory.oom.group": "1"}


async def _seccomp(node: Node, security: Security) -> dict[str, Any] | None:
    """The profile of the node's operator that a container names. Raises Failure for one that is not there."""
    if not security.seccomp_file:
        return None
    return await asyncio.to_thread(local_profiles.seccomp, node.config.pods.seccomp_dir, security.seccomp_file)


async def _app_armor(node: Node, security: Security) -> str:
    """The profile that a container names or gets. Raises Failure for one that the kernel does not have."""
    default = node.config.pods.app_armor_profile
    if not (default or security.app_armor_profile):
        return ""
    return await asyncio.to_thread(local_profiles.app_armor, security, default)


def _files(directory: Path, image: Image) -> dict[str, Path]:
    """What the pod has of its own in /etc; nothing is made there on the node."""
    found = {"resolv_conf": "resolv.conf", "hosts": "hosts", "hostname_file": "hostname"}
    return {key: directory / name for key, name in found.items() if not image.is_node or Path("/etc", name).exists()}


def spare_regular(tree: Tree, spec: PodSpec, pod: PodId, container: str) -> None:
    """systemd-oomd is to end a regular container, whose group was just made, only after all revocable ones."""
    if spec.pod_class is PodClass.REGULAR:
        oomd.mark(tree.container(spec.pod_class, spec.role, pod, container), oomd.Mark.AVOID)


async def without_secrets(
    document: dict[str, Any],
    node: Node,
    sandbox: Sandbox,
    container: ContainerSpec,
    identity: ContainerId,
    program: str,
) -> tuple[dict[str, Any], str]:
    """The document as containerd may keep it, and the program that runs the container `identity`: `program`, or one
    that puts its secrets in and runs `program`. Raises Failure.
    """
    if not secret_words.has_secrets(container):
        return document, program
    hidden, script = secret_words.hide(document, secrets.token_hex(16))
    await sandbox.volumes.write_private(identity, script)
    volumes_dir = volumes_parent(node.config.node.run_dir)
    return hidden, str(secret_runtime.ensure(Path(node.config.node.state_dir), volumes_dir, program))


def _downward(node: Node, sandbox: Sandbox, container: ContainerSpec) -> dict[str, str]:
    """Values of the downward API that only the node knows (downward.RUNTIME_FIELDS). Raises NetworkFailure for an
    address that the pod does not have: a program would take an empty one for every address.
    """
    ips, node_ip = sandbox.addresses, node.network.node_address
    wanted = [name for name, value in container.env if _demands_address(value)]
    if wanted and not ips:
        raise NetworkFailure(
            f"the variable {wanted[0]} is to be the pod's address, but its networks gave it none",
            subject=f"container {container.name}",
            hint="give the network an ipam, or do not ask for status.podIP",
        )
    return {
        "status.podIP": next(iter(ips), ""),
        "status.podIPs": ",".join(ips),
        "status.hostIP": node_ip,
        "status.hostIPs": node_ip,
        "spec.nodeName": socket.gethostname(),
    }


def _demands_address(value: EnvValue) -> bool:
    return isinstance(value, RuntimeField) and value.path in _POD_IPS and not value.optional


def needs_address(spec: PodSpec) -> bool:
    """Whether a container's environment has the pod's address, so that the network must come first."""
    values = (value for container in spec.containers for _, value in container.env)
    return any(isinstance(value, RuntimeField) for value in values)
