"""The pod of a task with a Kubernetes v1 Pod in its data. Pure.

The Pod says what runs; the task says with what: its resources limit the whole pod, its kill_policy and
max_completion_time win over the Pod's, its labels are the pod's too, and the networks are asked for by its container's
network_infos, as any Mesos task does, or by the pod's annotation.
"""

from __future__ import annotations

from collections.abc import Mapping

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import PodClass, TaskId
from executor.spec import checks as common
from executor.spec import marks, network_annotations, volume_files
from executor.spec.kubernetes import companions
from executor.spec.kubernetes.container import Context, container
from executor.spec.kubernetes.documents import DnsConfig as KubernetesDnsConfig
from executor.spec.kubernetes.documents import Pod, PodSecurityContext
from executor.spec.kubernetes.volume_documents import Volume as KubernetesVolume
from executor.spec.kubernetes.volumes import VolumeContext, volume
from executor.spec.mesos import fields as taskfields
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.model import (
    ContainerSpec,
    DnsConfig,
    FilesVolume,
    FsGroup,
    HostAlias,
    PodSpec,
    Policy,
    PortMapping,
    RestartPolicy,
    Volume,
    WantedNetwork,
)


def pod(info: TaskInfo, resources: Resources, policy: Policy) -> PodSpec:
    """Raises InvalidTask: with a path in the TaskInfo, or in the Pod."""
    _only_one_description(info)
    documents = companions.read(info.data)
    decoded = marks.decode(documents.pod, Pod)
    spec, metadata, task_id = decoded.spec, decoded.metadata, TaskId(info.task_id.value)
    identity = _identity(decoded, info, task_id)
    network_annotations.check(metadata.annotations, metadata.labels)
    volumes = _volumes(spec.volumes, VolumeContext(decoded, identity, resources, documents.objects))
    names = frozenset(volume.name for volume in volumes)
    context = Context(decoded, identity, task_id, resources, names, documents.objects)
    containers = _containers(context)
    networks = _networks(info, metadata.annotations, host_network=spec.host_network)
    ingress, egress = _bandwidth(metadata.annotations, host_network=spec.host_network)
    return PodSpec(
        task_ids=(task_id,),
        name=identity["metadata.name"],
        namespace=identity["metadata.namespace"],
        uid=identity["metadata.uid"],
        pod_class=PodClass.REVOCABLE if resources.revocable else PodClass.REGULAR,
        role=common.role(resources, "TaskInfo.resources"),
        containers=containers,
        resources=resources,
        restart_policy=RestartPolicy(spec.restart_policy),
        termination_grace_s=_first(
            taskfields.grace_s(info), spec.termination_grace_period_seconds, policy.termination_grace_s
        ),
        active_deadline_s=_earliest(taskfields.deadline_s(info), spec.active_deadline_seconds),
        priority=spec.priority,
        networks=networks,
        host_network=spec.host_network,
        host_ports=_host_ports(info, containers, resources, host_network=spec.host_network),
        ingress_bits_per_s=ingress,
        egress_bits_per_s=egress,
        hostname=common.dns_label(spec.hostname, "spec.hostname")
        if spec.hostname
        else common.slug(identity["metadata.name"]),
        subdomain=common.dns_label(spec.subdomain, "spec.subdomain") if spec.subdomain else "",
        host_aliases=_host_aliases(decoded),
        dns_policy=spec.dns_policy,
        dns_config=_dns_config(spec.dns_config, spec.dns_policy),
        volumes=volumes,
        fs_group=_fs_group(spec.security_context),
        objects=documents.objects,
        labels=taskfields.labels(info) | metadata.labels,
        annotations=metadata.annotations,
    )


def _only_one_description(info: TaskInfo) -> None:
    hint = "the pod in TaskInfo.data describes the containers: leave this out"
    if info.command is not None:
        raise InvalidTask("a task with a pod in its data has no command", subject="TaskInfo.command", hint=hint)
    container = info.container
    for name in ("mesos", "docker", "volumes", "hostname") if container is not None else ():
        if getattr(container, name):
            raise InvalidTask(
                "is not for a task with a pod in its data", subject=f"TaskInfo.container.{name}", hint=hint
            )


def _identity(decoded: Pod, info: TaskInfo, task_id: TaskId) -> dict[str, str]:
    """The fields of the downward API that are decided here."""
    metadata = decoded.metadata
    name = common.dns_subdomain(metadata.name, "metadata.name") if metadata.name else common.slug(info.name or task_id)
    return {
        "metadata.name": name,
        "metadata.namespace": common.dns_label(metadata.namespace, "metadata.namespace"),
        "metadata.uid": common.short(metadata.uid, "metadata.uid") or common.uid([task_id]),
        "spec.serviceAccountName": "default",
    }


def _containers(context: Context) -> tuple[ContainerSpec, ...]:
    listed = context.pod.spec.containers
    if not listed:
        raise InvalidTask("a pod has at least one container", subject="spec.containers")
    common.unique((f"spec.containers[{index}].name", one.name) for index, one in enumerate(listed))
    containers = tuple(container(one, context, f"spec.containers[{index}]") for index, one in enumerate(listed))
    common.fits(containers, context.resources, "spec.containers")
    return containers


def _volumes(listed: tuple[KubernetesVolume, ...], context: VolumeContext) -> tuple[Volume, ...]:
    common.unique((f"spec.volumes[{index}].name", volume.name) for index, volume in enumerate(listed))
    found = tuple(volume(one, context, f"spec.volumes[{index}]") for index, one in enumerate(listed))
    volume_files.check_size([each for each in found if isinstance(each, FilesVolume)], context.objects)
    return found


def _fs_group(context: PodSecurityContext) -> FsGroup | None:
    if context.fs_group is None:
        return None
    return FsGroup(context.fs_group, on_root_mismatch=context.fs_group_change_policy == "OnRootMismatch")


def _networks(info: TaskInfo, listed: Mapping[str, str], *, host_network: bool) -> tuple[WantedNetwork, ...]:
    """As the framework asks for them in the task, or the pod in its annotation."""
    of_task, of_pod = taskfields.networks(info, "TaskInfo"), network_annotations.networks(listed)
    annotation = f"metadata.annotations['{network_annotations.NETWORKS_KEY}']"
    subject = annotation if of_pod else "TaskInfo.container.network_infos"
    if (of_task or of_pod) and host_network:
        raise InvalidTask("a pod on the node's network joins no other", subject=subject)
    if of_task and of_pod:
        hint = "ask for networks in TaskInfo.container.network_infos or here"
        raise InvalidTask("the task asks for networks too", subject=subject, hint=hint)
    return of_task or of_pod


def _bandwidth(listed: Mapping[str, str], *, host_network: bool) -> tuple[int, int]:
    rates = network_annotations.bandwidth(listed)
    if any(rates) and host_network:
        key = network_annotations.INGRESS_KEY if rates[0] else network_annotations.EGRESS_KEY
        raise InvalidTask("the node's network is not limited for a pod", subject=f"metadata.annotations['{key}']")
    return rates


def _host_ports(
    info: TaskInfo, containers: tuple[ContainerSpec, ...], resources: Resources, *, host_network: bool
) -> tuple[PortMapping, ...]:
    declared = tuple(
        PortMapping(
            host_port=port.host_port, container_port=port.container_port, protocol=port.protocol, host_ip=port.host_ip
        )
        for one in containers
        for port in one.ports
        if port.host_port is not None
    )
    ports = taskfields.distinct(
        declared + taskfields.network_ports(info, resources, "TaskInfo"), "spec.containers[].ports"
    )
    return () if host_network else ports


def _host_aliases(decoded: Pod) -> tuple[HostAlias, ...]:
    found = []
    for index, alias in enumerate(decoded.spec.host_aliases):
        path = f"spec.hostAliases[{index}]"
        names = tuple(common.host_name(name, f"{path}.hostnames[{at}]") for at, name in enumerate(alias.hostnames))
        found.append(HostAlias(common.ip_address(alias.ip, f"{path}.ip"), names))
    return tuple(found)


def _dns_config(config: KubernetesDnsConfig, policy: str) -> DnsConfig:
    if policy == "None" and not config.nameservers:
        raise InvalidTask("dnsPolicy None needs at least one", subject="spec.dnsConfig.nameservers")
    path = "spec.dnsConfig"
    return DnsConfig(
        nameservers=tuple(
            common.ip_address(server, f"{path}.nameservers[{i}]") for i, server in enumerate(config.nameservers)
        ),
        searches=tuple(common.one_word(name, f"{path}.searches[{i}]") for i, name in enumerate(config.searches)),
        options=tuple(
            common.one_word(
                option.name if option.value is None else f"{option.name}:{option.value}", f"{path}.options[{i}]"
            )
            for i, option in enumerate(config.options)
        ),
    )


def _first(*choices: float | None) -> float:
    return float(next(choice for choice in choices if choice is not None))


def _earliest(*choices: float | None) -> float | None:
    given = [float(choice) for choice in choices if choice is not None]
    return min(given, default=None)
