"""One container of a Kubernetes v1 Pod as a ContainerSpec. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor import quantity
from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import TaskId
from executor.spec import capabilities
from executor.spec import checks as common
from executor.spec.faults import Faults
from executor.spec.kubernetes import environment, mounts, probes
from executor.spec.kubernetes.container_documents import Container, Quantities, SecurityContext
from executor.spec.kubernetes.container_documents import ContainerPort as KubernetesPort
from executor.spec.kubernetes.container_documents import VolumeMount as KubernetesMount
from executor.spec.kubernetes.documents import Pod, PodSecurityContext
from executor.spec.model import DEFAULT_GRACE_S, ContainerPort, ContainerSpec, EnvValue, Limits, Security
from executor.spec.objects import Objects
from executor.spec.probes import Hooks
from executor.spec.volume_model import VolumeMount


@dataclass(frozen=True)
class Context:
    """What a container's fields refer to."""

    pod: Pod
    identity: dict[str, str]
    task_id: TaskId
    resources: Resources
    volumes: frozenset[str]
    objects: Objects


def container(one: Container, context: Context, path: str) -> ContainerSpec:
    """Raises InvalidTask, or FaultyTask for several faults; every subject begins with `path`."""
    faults = Faults()
    limits = faults.of(Limits(), _limits, one.resources.limits, context.resources, f"{path}.resources.limits")
    requests = faults.of(
        Limits(), _limits, one.resources.requests, context.resources, f"{path}.resources.requests", least=False
    )
    faults.check(common.at_most, limits, requests, f"{path}.resources")
    made = ContainerSpec(
        name=faults.of("", common.dns_label, one.name, f"{path}.name"),
        image=faults.of("", common.image, one.image, f"{path}.image"),
        task_id=context.task_id,
        command=one.command or None,
        args=one.args or None,
        env=_env(one, context, path, faults),
        working_dir=faults.of("", common.absolute, one.working_dir, f"{path}.workingDir") if one.working_dir else None,
        limits=limits,
        requests=requests,
        ports=faults.items(lambda port, at: _port(port, context, at), one.ports, f"{path}.ports"),
        mounts=_mounts(one.volume_mounts, context, f"{path}.volumeMounts", faults),
        hooks=faults.of(Hooks(), probes.hooks, one, _grace_s(context.pod), f"{path}.lifecycle"),
        stop_signal=faults.of(None, probes.stop_signal, one, f"{path}.lifecycle.stopSignal"),
        security=faults.of(
            Security(), security, one.security_context, context.pod.spec.security_context, f"{path}.securityContext"
        ),
    )
    faults.end()
    return made


def _grace_s(pod: Pod) -> float:
    asked = pod.spec.termination_grace_period_seconds
    return DEFAULT_GRACE_S if asked is None else float(asked)


def _limits(amounts: Quantities, resources: Resources, path: str, *, least: bool = True) -> Limits:
    """`least`: hold memory to the least that a container can live in, which a request need not be."""
    cpus = None if amounts.cpu is None else quantity.cores(amounts.cpu, subject=f"{path}.cpu")
    disk = amounts.ephemeral_storage
    disk_bytes = None if disk is None else quantity.size(disk, subject=f"{path}.ephemeral-storage") or None
    if amounts.memory is None:
        return Limits(cpus=cpus, ephemeral_bytes=disk_bytes)
    size_bytes = quantity.size(amounts.memory, subject=f"{path}.memory")
    memory_bytes = common.memory(size_bytes, resources, f"{path}.memory") if least else size_bytes
    return Limits(cpus=cpus, memory_bytes=memory_bytes, ephemeral_bytes=disk_bytes)


def _env(one: Container, context: Context, path: str, faults: Faults) -> tuple[tuple[str, EnvValue], ...]:
    shared = faults.items(
        lambda source, at: environment.from_object(source, context.objects, at), one.env_from, f"{path}.envFrom"
    )
    own = faults.items(
        lambda entry, at: environment.variable(
            entry, one, context.pod, context.identity, context.resources, context.objects, at
        ),
        one.env,
        f"{path}.env",
    )
    return tuple(variable for variables in (*shared, *own) for variable in variables)


def _port(port: KubernetesPort, context: Context, path: str) -> ContainerPort:
    host_port = port.host_port or None
    if context.pod.spec.host_network:
        if host_port not in (None, port.container_port):
            raise InvalidTask("must equal containerPort on the node's network", subject=f"{path}.hostPort")
        host_port = port.container_port
    if host_port is not None:
        common.offered(host_port, context.resources, f"{path}.{'hostPort' if port.host_port else 'containerPort'}")
    host_ip = common.ip_address(port.host_ip, f"{path}.hostIP") if port.host_ip else ""
    return ContainerPort(
        container_port=port.container_port, host_port=host_port, protocol=port.protocol, name=port.name, host_ip=host_ip
    )


def _mounts(
    listed: tuple[KubernetesMount, ...], context: Context, path: str, faults: Faults
) -> tuple[VolumeMount, ...]:
    found = faults.items(lambda mount, at: mounts.mount(mount, context.volumes, at, privileged=False), listed, path)
    paths = ((f"{path}[{index}].mountPath", mount.mount_path.rstrip("/")) for index, mount in enumerate(listed))
    faults.check(common.unique, paths)
    return found


def _groups(shared: PodSecurityContext) -> tuple[int, ...]:
    """The group of the pod's volumes is one of each process."""
    return shared.supplemental_groups + (() if shared.fs_group is None else (shared.fs_group,))


def security(own: SecurityContext, shared: PodSecurityContext, path: str) -> Security:
    """A container's own context wins over its pod's, field by field."""
    profile = own.seccomp_profile or shared.seccomp_profile
    run_as_user = shared.run_as_user if own.run_as_user is None else own.run_as_user
    non_root = shared.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    if non_root and run_as_user == 0:
        raise InvalidTask("runAsUser is 0, and that is root", subject=f"{path}.runAsNonRoot")
    return Security(
        run_as_user=run_as_user,
        run_as_group=shared.run_as_group if own.run_as_group is None else own.run_as_group,
        run_as_non_root=bool(non_root),
        supplemental_groups=_groups(shared),
        read_only_root=own.read_only_root_filesystem,
        no_new_privileges=not own.allow_privilege_escalation,
        add_capabilities=capabilities.named(own.capabilities.add, f"{path}.capabilities.add"),
        drop_capabilities=capabilities.named(own.capabilities.drop, f"{path}.capabilities.drop"),
        seccomp=profile.type if profile is not None else "",
    )
