"""One container of a Kubernetes v1 Pod as a ContainerSpec. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import TaskId
from executor.spec import checks as common
from executor.spec.faults import Faults
from executor.spec.kubernetes import amounts, downward, names, ports, probes, security
from executor.spec.kubernetes.container_documents import Container, EnvVar
from executor.spec.kubernetes.container_documents import VolumeMount as KubernetesMount
from executor.spec.kubernetes.documents import Pod
from executor.spec.model import (
    DEFAULT_GRACE_S,
    ContainerSpec,
    EnvValue,
    Security,
    VolumeMount,
)
from executor.spec.probes import Hooks


@dataclass(frozen=True)
class Context:
    """What a container's fields refer to."""

    pod: Pod
    identity: dict[str, str]
    task_id: TaskId
    resources: Resources
    volumes: frozenset[str]


def container(one: Container, context: Context, path: str) -> ContainerSpec:
    """Raises InvalidTask, or FaultyTask for several faults; every subject begins with `path`."""
    faults = Faults()
    spec = context.pod.spec
    limits, requests = amounts.amounts(one.resources, context.resources, f"{path}.resources", faults)
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
        ports=ports.ports(one.ports, context.resources, f"{path}.ports", faults, host_network=spec.host_network),
        mounts=_mounts(one.volume_mounts, context, f"{path}.volumeMounts", faults),
        hooks=faults.of(Hooks(), probes.hooks, one, _grace_s(context.pod), f"{path}.lifecycle"),
        stop_signal=faults.of(None, probes.stop_signal, one, f"{path}.lifecycle.stopSignal"),
        security=faults.of(
            Security(),
            security.security,
            one.security_context,
            spec.security_context,
            context.pod.metadata.annotations,
            one.name,
            f"{path}.securityContext",
        ),
    )
    faults.end()
    return made


def _grace_s(pod: Pod) -> float:
    asked = pod.spec.termination_grace_period_seconds
    return DEFAULT_GRACE_S if asked is None else float(asked)


def _env(one: Container, context: Context, path: str, faults: Faults) -> tuple[tuple[str, EnvValue], ...]:
    return faults.items(lambda entry, at: _variable(entry, one, context, at), one.env, f"{path}.env")


def _variable(entry: EnvVar, one: Container, context: Context, path: str) -> tuple[str, EnvValue]:
    name = names.variable(entry.name, f"{path}.name")
    if entry.value_from is None:
        return name, entry.value
    if entry.value:
        raise InvalidTask("has a value and a valueFrom", subject=path)
    value = downward.value(entry.value_from, context.pod, context.identity, one, context.resources, f"{path}.valueFrom")
    # a text of the downward API is taken as it is: no variable is expanded in it
    return name, value.replace("$", "$$") if isinstance(value, str) else value


def _mounts(
    mounts: tuple[KubernetesMount, ...], context: Context, path: str, faults: Faults
) -> tuple[VolumeMount, ...]:
    found = faults.items(lambda mount, at: _mount(mount, context, at), mounts, path)
    paths = ((f"{path}[{index}].mountPath", mount.mount_path.rstrip("/")) for index, mount in enumerate(mounts))
    faults.check(common.unique, paths)
    return found


def _mount(mount: KubernetesMount, context: Context, path: str) -> VolumeMount:
    if mount.name not in context.volumes:
        hint = "add it to spec.volumes"
        raise InvalidTask(f"there is no volume {mount.name[:80]!r}", subject=f"{path}.name", hint=hint)
    return VolumeMount(mount.name, common.mount_path(mount.mount_path, f"{path}.mountPath"), mount.read_only)
