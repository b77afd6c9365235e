"""Pods and what happens to them, for the tests of the life cycle."""

from __future__ import annotations

from executor.mesos.resources import Resources
from executor.mesos.status import TaskState
from executor.names import PodClass, RevocationId, Role, TaskId
from executor.pod.lifecycle import begin, step
from executor.pod.model import (
    ContainerStarted,
    Dead,
    Effect,
    Event,
    Launch,
    Pod,
    Report,
    SandboxReady,
    Stop,
    StopCause,
    TornDown,
)
from executor.spec.model import ContainerSpec, PodSpec, PortMapping, RestartPolicy

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
) -> PodSpec:
    names = names or ("app",)
    tasks = tuple(TaskId(f"task-{name}") for name in names) if group else (TASK,)
    containers = tuple(
        ContainerSpec(name=name, image="image", task_id=tasks[number] if group else TASK)
        for number, name in enumerate(names)
    )
    return PodSpec(
        task_ids=tasks,
        name="pod",
        namespace="default",
        uid="",
        pod_class=PodClass.REVOCABLE,
        role=Role("*"),
        containers=containers,
        resources=Resources(),
        restart_policy=policy,
        active_deadline_s=deadline_s,
        host_ports=(PortMapping(31000, 80),) if host_port else (),
    )


def play(pod: Pod, *events: Event) -> tuple[Pod, list[Effect]]:
    """The pod after all events, and every effect on the way."""
    effects: list[Effect] = []
    for event in events:
        pod, more = step(pod, event)
        effects.extend(more)
    return pod, effects


def running(pod_spec: PodSpec | None = None) -> Pod:
    pod_spec = pod_spec or spec()
    starts = [ContainerStarted(container.name, 100 + n) for n, container in enumerate(pod_spec.containers)]
    return play(begin(pod_spec), Launch(), SandboxReady(("10.0.0.2",)), *starts)[0]


def reports(effects: list[Effect]) -> list[tuple[TaskState, str | None]]:
    return [(effect.state, effect.reason) for effect in effects if isinstance(effect, Report)]


def finish(pod: Pod) -> tuple[Pod, list[Effect]]:
    return play(pod, Dead(), TornDown())
