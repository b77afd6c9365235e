"""One container of a Kubernetes v1 Pod as a ContainerSpec. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.errors import InvalidTask
from executor.images.policy import PullPolicy
from executor.mesos.resources import Resources
from executor.names import TaskId
from executor.spec import checks as common
from executor.spec.kubernetes import (
    amounts,
    environment,
    extended_resources,
    huge_pages,
    mounts,
    ports,
    probes,
    security,
)
from executor.spec.kubernetes.container_documents import Container
from executor.spec.kubernetes.container_documents import VolumeMount as KubernetesMount
from executor.spec.kubernetes.pod_documents import Pod
from executor.spec.model import (
    DEFAULT_GRACE_S,
    TERMINATION_PATH,
    ContainerKind,
    ContainerSpec,
    EnvValue,
    Policy,
    RestartPolicy,
    TerminationMessage,
)
from executor.spec.objects import Objects
from executor.spec.probes import Hooks, Probes
from executor.spec.reading.faults import Faults
from executor.spec.restart_rule import RestartRule
from executor.spec.security_model import Security
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
    policy: Policy


def container(one: Container, context: Context, path: str, kind: ContainerKind = ContainerKind.MAIN) -> ContainerSpec:
    """Raises InvalidTask, or FaultyTask for several faults; every subject begins with `path`."""
    faults = Faults()
    spec = context.pod.spec
    limits, requests = amounts.amounts(one.resources, context.resources, f"{path}.resources", faults)
    faults.check(_check_stdin, one, path)
    made = ContainerSpec(
        name=faults.of("", common.dns_label, one.name, f"{path}.name"),
        path=path,
        image=faults.of("", common.image, one.image, f"{path}.image"),
        task_id=context.task_id,
        kind=kind,
        command=one.command or None,
        args=one.args or None,
        pull_policy=PullPolicy(one.image_pull_policy) if one.image_pull_policy else None,
        env=_env(one, context, path, faults),
        working_dir=faults.of("", common.absolute, one.working_dir, f"{path}.workingDir") if one.working_dir else None,
        limits=limits,
        requests=requests,
        extended=extended_resources.of_container(one.resources, f"{path}.resources", faults),
        restart_policy=RestartPolicy(one.restart_policy) if one.restart_policy else None,
        restart_rules=faults.of((), _restart_rules, one, path),
        restarts_to_resize=frozenset(
            each.resource_name for each in one.resize_policy if each.restart_policy == "RestartContainer"
        ),
        huge_pages=huge_pages.of_container(one.resources, f"{path}.resources", faults),
        ports=ports.ports(one.ports, context.resources, f"{path}.ports", faults, host_network=spec.host_network),
        mounts=_mounts(
            one.volume_mounts,
            context,
            f"{path}.volumeMounts",
            faults,
            privileged=one.security_context.privileged,
        ),
        probes=faults.of(Probes(), probes.probes, one, path),
        hooks=faults.of(Hooks(), probes.hooks, one, _grace_s(context.pod), f"{path}.lifecycle"),
        stop_signal=faults.of(None, probes.stop_signal, one, f"{path}.lifecycle.stopSignal"),
        tty=one.tty,
        termination=faults.of(None, _termination, one, path),
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


def _restart_rules(one: Container, path: str) -> tuple[RestartRule, ...]:
    if one.restart_policy_rules and not one.restart_policy:
        hint = "set the container's restartPolicy, which holds for all other exit codes"
        raise InvalidTask("is missing, and there are restartPolicyRules", subject=f"{path}.restartPolicy", hint=hint)
    codes = (rule.exit_codes for rule in one.restart_policy_rules)
    return tuple(RestartRule(frozenset(each.values), negated=each.operator == "NotIn") for each in codes)


def _check_stdin(one: Container, path: str) -> None:
    if one.stdin and not one.tty:
        hint = "ask for tty too, or leave it out"
        raise InvalidTask("nothing can be written to it", subject=f"{path}.stdin", hint=hint)


def _grace_s(pod: Pod) -> float:
    asked = pod.spec.termination_grace_period_seconds
    return DEFAULT_GRACE_S if asked is None else float(asked)


def _termination(one: Container, path: str) -> TerminationMessage:
    target = one.termination_message_path or TERMINATION_PATH
    fallback = one.termination_message_policy == "FallbackToLogsOnError"
    return TerminationMessage(common.mount_path(target, f"{path}.terminationMessagePath"), fallback_to_logs=fallback)


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


def _mounts(
    listed: tuple[KubernetesMount, ...], context: Context, path: str, faults: Faults, *, privileged: bool
) -> tuple[VolumeMount, ...]:
    found = faults.items(
        lambda mount, at: mounts.mount(mount, context.volumes, at, privileged=privileged), listed, path
    )
    paths = ((f"{path}[{index}].mountPath", mount.mount_path.strip("/")) for index, mount in enumerate(listed))
    faults.check(common.unique, paths)
    return found
