"""Pods and what happens to them, for the tests of the life cycle."""

from __future__ import annotations

from itertools import zip_longest

from executor.mesos.resources import Resources
from executor.mesos.status import TaskState
from executor.names import PodClass, RevocationId, Role, TaskId
from executor.pod.life.effects import CollectOutput, Effect, Report
from executor.pod.life.events import (
    ContainerStarted,
    Dead,
    Event,
    Launch,
    OutputCollected,
    SandboxReady,
    Stop,
    StopCause,
    TornDown,
)
from executor.pod.life.lifecycle import begin, step
from executor.pod.life.model import Pod
from executor.spec.model import ContainerKind, ContainerSpec, PodSpec, PortMapping, RestartPolicy
from executor.spec.probes import NO_HOOKS, NO_PROBES, Hooks, Probes

TASK = TaskId("t1")
TERMINAL = {TaskState.FINISHED, TaskState.FAILED, TaskState.KILLED, TaskState.GONE}
KILL = Stop(StopCause.KILL)
REVOKE = Stop(StopCause.REVOKED, 0.0, "revoked by r-1", RevocationId("r-1"))


def spec(
    *names: str,
    policy: RestartPolicy = RestartPolicy.NEVER,
    group: bool = False,
    host_port: bool = False,
    deadline_s: float | None = None,
    init: tuple[str, ...] = (),
    sidecars: tuple[str, ...] = (),
    probes: Probes = NO_PROBES,
    hooks: Hooks = NO_HOOKS,
) -> PodSpec:
    """`names` are the main containers, app if there are none. `init` and `sidecars` start in this order, in pairs. All
    containers but init containers have these probes and hooks.
    """
    names = names or ("app",)
    tasks = tuple(TaskId(f"task-{name}") for name in names) if group else (TASK,)
    containers = tuple(
        ContainerSpec(name=name, image="image", task_id=tasks[number] if group else TASK, probes=probes, hooks=hooks)
        for number, name in enumerate(names)
    )
    before = [
        ContainerSpec(
            name=name,
            image="image",
            task_id=TASK,
            kind=kind,
            probes=NO_PROBES if kind is ContainerKind.INIT else probes,
        )
        for pair in zip_longest(init, sidecars)
        for name, kind in zip(pair, (ContainerKind.INIT, ContainerKind.SIDECAR), strict=True)
        if name is not None
    ]
    return PodSpec(
        task_ids=tasks,
        name="pod",
        namespace="default",
        uid="",
        pod_class=PodClass.REVOCABLE,
        role=Role("*"),
        containers=(*before, *containers),
        resources=Resources(),
        restart_policy=policy,
        active_deadline_s=deadline_s,
        host_ports=(PortMapping(31000, 80),) if host_port else (),
    )


def play(pod: Pod, *events: Event) -> tuple[Pod, list[Effect]]:
    """The pod after all events, and every effect on the way; output that is to be collected is collected at once."""
    effects: list[Effect] = []
    waiting = list(events)
    while waiting:
        pod, more = step(pod, waiting.pop(0))
        for effect in more:
            if isinstance(effect, CollectOutput):
                waiting.insert(0, OutputCollected(effect.container, effect.run))
            else:
                effects.append(effect)
    return pod, effects


def running(pod_spec: PodSpec | None = None) -> Pod:
    pod_spec = pod_spec or spec()
    starts = [ContainerStarted(container.name, 1, 100 + n) for n, container in enumerate(pod_spec.containers)]
    return play(begin(pod_spec), Launch(), SandboxReady(("10.0.0.2",)), *starts)[0]


def reports(effects: list[Effect]) -> list[tuple[TaskState, str | None]]:
    return [(effect.state, effect.reason) for effect in effects if isinstance(effect, Report)]


def finish(pod: Pod) -> tuple[Pod, list[Effect]]:
    return play(pod, Dead(), TornDown())
