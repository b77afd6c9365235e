"""The pod of tasks without data: one container for each task, from its command and its container. Pure.

Meant as Mesos means it: a command line is the shell's (no `$(NAME)` is expanded here), nothing is restarted, the
grace is 3 s without a kill_policy. In a group each container has its own task's grace and max_completion_time, and the
mem of all, unless share_cgroups is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from executor.errors import InvalidTask
from executor.images.model import NODE_ROOT
from executor.mesos.resources import Resources
from executor.names import PodClass, TaskId
from executor.spec import checks as common
from executor.spec.mesos import checks, images, linux, sandboxes, secrets, volumes
from executor.spec.mesos import fields as taskfields
from executor.spec.mesos.message import Variable
from executor.spec.mesos.taskinfo import CommandInfo, TaskInfo
from executor.spec.model import (
    DEFAULT_TASK_GRACE_S,
    ContainerSpec,
    EnvValue,
    Limits,
    PodSpec,
    Policy,
    PortMapping,
    RestartPolicy,
    TakenText,
    WantedNetwork,
)
from executor.spec.reading.faults import Faults
from executor.spec.volume_model import HostPath
from executor.spec.volume_model import Volume as PodVolume


def pod(
    infos: Sequence[TaskInfo], paths: Sequence[str], resources: Resources, policy: Policy, *, group: bool = False
) -> PodSpec:
    """`paths` name the tasks in errors; `group`: they came by LAUNCH_GROUP. Raises InvalidTask, or FaultyTask for
    several faults.
    """
    alone = len(infos) == 1
    faults = Faults()
    names = common.without_twins([common.slug(info.name or info.task_id.value) for info in infos])
    made = [
        each
        for info, name, path in zip(infos, names, paths, strict=True)
        if (each := faults.of(None, _container, info, name, path, policy, alone=alone, group=group)) is not None
    ]
    task_ids = tuple(TaskId(info.task_id.value) for info in infos)
    host_network = bool(faults.of(None, _host_network, infos, paths))
    found = PodSpec(
        task_ids=task_ids,
        name=names[0],
        namespace="default",
        uid=common.uid(task_ids),
        pod_class=PodClass.REVOCABLE if resources.revocable else PodClass.REGULAR,
        role=common.role(resources, "resources"),
        containers=tuple(container for container, _ in made),
        resources=resources,
        restart_policy=RestartPolicy.NEVER,
        termination_grace_s=max(_grace_s(info) for info in infos),
        networks=faults.of((), _networks, infos, paths, host_network=host_network),
        host_network=host_network,
        host_ports=faults.of((), _host_ports, infos, paths, resources, host_network=host_network),
        hostname=faults.of("", _hostname, infos, paths) or names[0],
        share_pids=bool(faults.of(None, linux.share_pids, infos, paths)),
        volumes=tuple({volume.name: volume for _, own in made for volume in own}.values()),
        pull_credentials=faults.of((), images.credentials, infos, paths),
        labels={key: value for info in infos for key, value in taskfields.labels(info).items()},
    )
    faults.end()
    return found


def _grace_s(info: TaskInfo) -> float:
    grace_s = taskfields.grace_s(info)
    return DEFAULT_TASK_GRACE_S if grace_s is None else grace_s


def _container(
    info: TaskInfo, name: str, path: str, policy: Policy, *, alone: bool, group: bool
) -> tuple[ContainerSpec, tuple[PodVolume, ...]]:
    own = Resources.of(info.resources, subject=f"{path}.resources")
    if not alone:
        common.usable(own, f"{path}.resources")
    command = info.command or CommandInfo(shell=False)
    argv, args = _argv(command, path)
    sandbox = sandboxes.of(info, own, name, path, group=group)
    mounted = volumes.mounted(info.container, name, f"{path}.container.volumes")
    asked = linux.limits(info, own, path)
    image, pull_policy = images.image(info, policy, path)
    spec = ContainerSpec(
        name=name,
        path=path,
        image=image,
        pull_policy=pull_policy,
        task_id=TaskId(info.task_id.value),
        command=argv,
        args=args,
        env=(*sandbox.env, *_env(command, f"{path}.command.environment.variables")),
        limits=asked if alone or linux.shares_cgroups(info) else replace(asked, memory_bytes=own.mem_bytes),
        requests=Limits(cpus=own.cpus or None),
        mounts=(*sandbox.mounts, *(mount for _, mount in mounted)),
        default_dir=sandboxes.PATH,
        uris=sandbox.uris,
        security=linux.security(info, command.user, path),
        rlimits=linux.rlimits(info, path),
        shm_bytes=linux.shm_bytes(info),
        tty=info.container is not None and info.container.tty_info is not None,
        probes=checks.probes(info.check, info.health_check, path),
        stops_group=command.shell,
        grace_s=_grace_s(info),
        deadline_s=taskfields.deadline_s(info),
        expand_variables=False,
    )
    root = (HostPath(f"{name}-root", NODE_ROOT, field=f"{path}.container", is_root=True),) if image == NODE_ROOT else ()
    return spec, (*root, *sandbox.volumes, *(volume for volume, _ in mounted if volume is not None))


def _argv(command: CommandInfo, path: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Command and arguments as a pod has them; both None leave it to the image."""
    if command.shell:
        if command.value is None:
            hint = "give it a value, or set shell to false to run the image's own"
            raise InvalidTask("is missing, and shell is true", subject=f"{path}.command.value", hint=hint)
        return ("/bin/sh", "-c", command.value), None
    if command.value:
        return (command.value, *command.arguments[1:]), None
    return None, command.arguments or None


def _env(command: CommandInfo, path: str) -> tuple[tuple[str, EnvValue], ...]:
    variables = command.environment.variables
    return tuple(
        (common.variable(one.name, f"{path}[{index}].name"), _value(one, f"{path}[{index}]"))
        for index, one in enumerate(variables)
    )


def _value(one: Variable, path: str) -> EnvValue:
    if (one.type == "SECRET") != (one.secret is not None):
        raise InvalidTask(f"does not go with type {one.type}", subject=f"{path}.secret")
    return one.value if one.secret is None else TakenText(secrets.text(one.secret, f"{path}.secret"), secret=True)


def _host_network(infos: Sequence[TaskInfo], paths: Sequence[str]) -> bool:
    """DockerInfo.network says so; the containers of a group share one network and so must agree."""
    asked = {
        f"{path}.container.docker.network": info.container.docker.network == "HOST"
        for info, path in zip(infos, paths, strict=True)
        if info.container is not None and info.container.docker is not None
    }
    if len(set(asked.values())) > 1:
        raise InvalidTask("the containers of a pod share one network, and this is another", subject=list(asked)[-1])
    return any(asked.values())


def _networks(infos: Sequence[TaskInfo], paths: Sequence[str], *, host_network: bool) -> tuple[WantedNetwork, ...]:
    wishes = {
        path: networks for info, path in zip(infos, paths, strict=True) if (networks := taskfields.networks(info, path))
    }
    first: tuple[WantedNetwork, ...] = next(iter(wishes.values()), ())
    for path, networks in wishes.items():
        subject = f"{path}.container.network_infos"
        if host_network:
            raise InvalidTask("a container on the node's network joins no other", subject=subject)
        if networks != first:
            raise InvalidTask("the containers of a pod share their networks, and these differ", subject=subject)
    return first


def _host_ports(
    infos: Sequence[TaskInfo], paths: Sequence[str], resources: Resources, *, host_network: bool
) -> tuple[PortMapping, ...]:
    found: list[PortMapping] = []
    for info, path in zip(infos, paths, strict=True):
        found.extend(taskfields.network_ports(info, resources, path))
        if info.container is not None and info.container.docker is not None:
            mappings = info.container.docker.port_mappings
            found.extend(taskfields.port_mappings(mappings, resources, f"{path}.container.docker.port_mappings"))
    ports = taskfields.distinct(tuple(found), f"{paths[0]}.container")
    return () if host_network else ports


def _hostname(infos: Sequence[TaskInfo], paths: Sequence[str]) -> str:
    """The first that names one; it is the pod's."""
    for info, path in zip(infos, paths, strict=True):
        if info.container is not None and info.container.hostname:
            return common.dns_label(info.container.hostname, f"{path}.container.hostname")
    return ""
