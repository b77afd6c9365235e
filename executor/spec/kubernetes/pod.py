"""The pod of a task with a Kubernetes v1 Pod in its data. Pure.

The Pod says what runs; the task says with what: its resources limit the whole pod, its kill_policy and
max_completion_time win over the Pod's, its labels are the pod's too, and the networks are asked for by its container's
network_infos, as any Mesos task does, or by the pod's annotation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.spec import checkpoint, network_annotations
from executor.spec import checks as common
from executor.spec.kubernetes import (
    companions,
    confinement,
    environment,
    extended_resources,
    huge_pages,
    init_containers,
    names,
    placement,
    pull_secrets,
    resolving,
    security,
)
from executor.spec.kubernetes.container import Context, container
from executor.spec.kubernetes.container_documents import InitContainer
from executor.spec.kubernetes.pod_documents import ObjectMeta, Pod, PodSecurityContext
from executor.spec.kubernetes.pod_documents import PodSpec as KubernetesPodSpec
from executor.spec.kubernetes.probes import GRACE_MAX_S
from executor.spec.kubernetes.pull_secrets import PullSecrets
from executor.spec.kubernetes.volume_documents import Volume as KubernetesVolume
from executor.spec.kubernetes.volumes import VolumeContext, volume
from executor.spec.mesos import fields as taskfields
from executor.spec.mesos.linux_documents import RLimitInfo
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.model import (
    ContainerKind,
    ContainerSpec,
    PodSpec,
    Policy,
    PortMapping,
    RestartPolicy,
    WantedNetwork,
)
from executor.spec.reading import form
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import shown
from executor.spec.volume_model import FsGroup, Volume


def pod(info: TaskInfo, resources: Resources, policy: Policy) -> PodSpec:
    """Raises InvalidTask, or FaultyTask for several faults: with paths in the TaskInfo, or in the Pod."""
    documents = companions.read(info.data)
    reading = form.read(documents.pod, Pod)
    decoded, faults = reading.value, Faults((*reading.faults, *documents.faults))
    spec, metadata, task_id = decoded.spec, decoded.metadata, TaskId(info.task_id.value)
    faults.check(_only_one_description, info)
    identity = _identity(decoded, info, task_id, faults)
    _metadata(metadata, faults)
    unconfined = _check_whole(decoded, policy, faults)
    volumes = _volumes(spec.volumes, VolumeContext(decoded, identity, resources, documents.objects), faults)
    faults.check(checkpoint.check, metadata.annotations, volumes)
    volume_names = frozenset(volume.name for volume in spec.volumes)
    context = Context(decoded, identity, task_id, resources, volume_names, documents.objects, policy)
    containers = _containers(context, faults)
    pulls = faults.of(PullSecrets(), pull_secrets.read, spec.image_pull_secrets, documents.objects)
    networks = faults.of((), _networks, info, metadata.annotations, host_network=spec.host_network)
    ingress, egress = faults.of((0, 0), _bandwidth, metadata.annotations, host_network=spec.host_network)
    made = PodSpec(
        task_ids=(task_id,),
        name=identity["metadata.name"],
        namespace=identity["metadata.namespace"],
        uid=identity["metadata.uid"],
        pod_class=PodClass.REVOCABLE if resources.revocable else PodClass.REGULAR,
        role=faults.of(Role("*"), common.role, resources, "TaskInfo.resources"),
        containers=containers,
        resources=resources,
        restart_policy=RestartPolicy(spec.restart_policy),
        termination_grace_s=_grace_s(
            taskfields.grace_s(info), spec.termination_grace_period_seconds, policy.termination_grace_s
        ),
        active_deadline_s=_earliest(taskfields.deadline_s(info), spec.active_deadline_seconds),
        priority=spec.priority,
        networks=networks,
        host_network=spec.host_network,
        host_pid=spec.host_pid,
        host_ipc=spec.host_ipc,
        share_pids=spec.share_process_namespace,
        host_ports=faults.of((), _host_ports, info, containers, resources, host_network=spec.host_network),
        ingress_bits_per_s=ingress,
        egress_bits_per_s=egress,
        hostname=_label(spec.hostname, "spec.hostname", faults) or common.slug(identity["metadata.name"]),
        subdomain=_label(spec.subdomain, "spec.subdomain", faults),
        host_aliases=resolving.host_aliases(spec.host_aliases, faults),
        sysctls=security.sysctls(spec, faults),
        dns_policy=spec.dns_policy,
        dns_config=resolving.dns_config(spec.dns_config, spec.dns_policy, faults),
        volumes=volumes,
        fs_group=_fs_group(spec.security_context),
        objects=documents.objects,
        pull_credentials=pulls.credentials,
        labels=taskfields.labels(info) | metadata.labels,
        annotations=metadata.annotations,
        without_effect=(*documents.without_effect, *reading.without_effect, *pulls.without_effect, *unconfined),
    )
    faults.end()
    return made


def _check_whole(pod: Pod, policy: Policy, faults: Faults) -> tuple[str, ...]:
    """What its parts say of each other and of the node; the paths of what has no effect on this node."""
    spec, annotations = pod.spec, pod.metadata.annotations
    placement.check(spec, faults)
    security.check_host(spec, faults)
    confinement.check_annotations(annotations, [one.name for one in (*spec.init_containers, *spec.containers)], faults)
    faults.check(_runtime_class, spec.runtime_class_name, policy.runtime_classes)
    return confinement.app_armor_defaults(pod, policy, faults)


def _label(text: str, subject: str, faults: Faults) -> str:
    """A DNS label, or nothing."""
    return faults.of("", common.dns_label, text, subject) if text else ""


def _metadata(metadata: ObjectMeta, faults: Faults) -> None:
    names.labels(metadata.labels, "metadata.labels", faults)
    names.annotation_keys(metadata.annotations, "metadata.annotations", faults)
    faults.check(network_annotations.check, metadata.annotations, metadata.labels)
    for time, name in ((metadata.creation_timestamp, "creation"), (metadata.deletion_timestamp, "deletion")):
        if time:
            faults.check(names.time, time, f"metadata.{name}Timestamp")
    if metadata.generate_name:
        faults.check(common.dns_subdomain, metadata.generate_name.rstrip("-"), "metadata.generateName")


def _runtime_class(name: str, known: Collection[str]) -> None:
    if name and name not in known:
        hint = "launch it where that runtime is, or let the operator add the name to [pods] runtime_classes"
        message = f"every container runs with the node's runtime, and {shown(name)!r} is not among its names"
        raise InvalidTask(message, subject="spec.runtimeClassName", hint=hint)


def _only_one_description(info: TaskInfo) -> None:
    hint = "the pod in TaskInfo.data describes the containers: leave this out"
    if info.command is not None:
        raise InvalidTask("a task with a pod in its data has no command", subject="TaskInfo.command", hint=hint)
    for name in ("check", "health_check"):
        if getattr(info, name) is not None:
            hint = "use the probes of the pod's containers"
            raise InvalidTask("is not for a task with a pod in its data", subject=f"TaskInfo.{name}", hint=hint)
    if info.limits is not None:
        hint = "use the limits of the pod's containers"
        raise InvalidTask("is not for a task with a pod in its data", subject="TaskInfo.limits", hint=hint)
    container = info.container
    of_linux = ("linux_info", "rlimit_info", "tty_info")
    for name in ("mesos", "docker", "volumes", "hostname", *of_linux) if container is not None else ():
        if getattr(container, name) not in (None, (), "", RLimitInfo()):
            raise InvalidTask(
                "is not for a task with a pod in its data", subject=f"TaskInfo.container.{name}", hint=hint
            )


def _identity(decoded: Pod, info: TaskInfo, task_id: TaskId, faults: Faults) -> dict[str, str]:
    """The fields of the downward API that are decided here."""
    metadata = decoded.metadata
    name = faults.of("", common.dns_subdomain, metadata.name, "metadata.name") if metadata.name else ""
    return {
        "metadata.name": name or common.slug(info.name or task_id),
        "metadata.namespace": faults.of("", common.dns_label, metadata.namespace, "metadata.namespace"),
        "metadata.uid": faults.of("", common.short, metadata.uid, "metadata.uid") or common.uid([task_id]),
        "spec.serviceAccountName": _service_account(decoded.spec, faults),
    }


def _service_account(spec: KubernetesPodSpec, faults: Faults) -> str:
    """The service account of the pod; `default` if it names none."""
    for field, name in (("serviceAccountName", spec.service_account_name), ("serviceAccount", spec.service_account)):
        if name:
            faults.check(common.dns_subdomain, name, f"spec.{field}")
    return spec.service_account_name or spec.service_account or "default"


def _containers(context: Context, faults: Faults) -> tuple[ContainerSpec, ...]:
    """In the order of their start."""
    spec = context.pod.spec
    if not spec.containers:
        faults.add(InvalidTask("a pod has at least one container", subject="spec.containers"))
    both = {"spec.initContainers": spec.init_containers, "spec.containers": spec.containers}
    named = ((f"{path}[{index}].name", one.name) for path, some in both.items() for index, one in enumerate(some))
    faults.check(common.unique, named)
    listed = ((f"{path}[{index}]", one) for path, some in both.items() for index, one in enumerate(some))
    try:
        environment.check_amount(listed, context.objects)
    except InvalidTask as error:
        faults.add(error)
        faults.end()  # the variables are not made
    before = faults.items(partial(_init_container, context=context), spec.init_containers, "spec.initContainers")
    main = faults.items(lambda one, path: container(one, context, path), spec.containers, "spec.containers")
    containers = (*before, *main)
    extended_resources.check(containers, context.resources, "spec.containers", faults)
    huge_pages.check(containers, context.resources, "spec.containers", faults)
    faults.check(common.fits, containers, context.resources, "spec.containers")
    return containers


def _init_container(one: InitContainer, path: str, context: Context) -> ContainerSpec:
    return container(one, context, path, init_containers.kind(one, path))


def _volumes(listed: tuple[KubernetesVolume, ...], context: VolumeContext, faults: Faults) -> tuple[Volume, ...]:
    faults.check(common.unique, ((f"spec.volumes[{index}].name", volume.name) for index, volume in enumerate(listed)))
    return faults.items(lambda one, path: volume(one, context, path), listed, "spec.volumes")


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
        if port.host_port is not None and one.kind is not ContainerKind.INIT
    )
    ports = taskfields.distinct(
        declared + taskfields.network_ports(info, resources, "TaskInfo"), "spec.containers[].ports"
    )
    return () if host_network else ports


def _grace_s(*choices: float | None) -> float:
    """The first that is set, and at most GRACE_MAX_S."""
    return min(float(next(choice for choice in choices if choice is not None)), GRACE_MAX_S)


def _earliest(*choices: float | None) -> float | None:
    given = [float(choice) for choice in choices if choice is not None]
    return min(given, default=None)
