"""What happens to a pod, as one pure table: `step(pod, event) -> (pod, effects)`.

    NEW ─Launch─▶ SETTING_UP ─SandboxReady─▶ [INITIALIZING ─▶] STARTING ─all started─▶ RUNNING
                      │                            │              │                       │
                      │ SetUpFailed, Stop          │ StartFailed, or nothing runs         │
                      │                            │              │                       │
                      │                            │ Stop; an init container failed       │ Stop; all have ended,
                      │                            ▼              ▼                       ▼ but sidecars run
                      │                        STOPPING ◀─────────┴───────────────────────┤
                      │                            │ GraceOver, all have ended            │ all have ended
                      ▼                            ▼                                      ▼
                  DESTROYING ◀─────────────────────┴──────────────────────────────────────┘
                      │ Dead
                      ▼
                TEARING_DOWN ─TornDown─▶ ENDED

Each container has a life cycle of its own (container_life.py): an event of a container goes through that first, and
what follows from the containers' phases is decided here. INITIALIZING is for pods with init containers; order.py says
whose turn it is to start and to stop.

Invariants. No I/O and no clock. An event that is not in the table for the pod's state is an `IllegalTransition` and
changes nothing. The first cause of a pod's end is its outcome; a later Stop can only hasten it. DESTROYING is on
every way out, so a terminal status is never sent while a process of the pod lives; TEARING_DOWN always follows it, so
nothing is left behind. A terminal status waits for the release of the network when the pod holds host ports, because
Mesos offers them again on that status; one that fails is tried again for a while first. It waits for the whole
tear-down when the pod used too much disk, because on that status the agent takes the task's disk from what the
container may hold. TASK_KILLING says that a pod is within its grace, or does not die: of one that a revocation ends at
once only the end is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from executor.errors import ExecutorError
from executor.mesos.status import TaskState
from executor.pod.exits import causes
from executor.pod.life import container_life, health, order, reports
from executor.pod.life.container_life import KILLED_CODE, IllegalTransition
from executor.pod.life.effects import Abort, After, CollectOutput, Destroy, Effect, Report, SetUp, StopProbes, TearDown
from executor.pod.life.events import (
    ContainerEvent,
    ContainerExited,
    ContainerStarted,
    Dead,
    Event,
    GraceOver,
    KillDue,
    Launch,
    NetworkReleased,
    OutputCollected,
    PostStartEnded,
    Probed,
    RestartDue,
    RunOver,
    SandboxReady,
    SetUpFailed,
    StartFailed,
    StartNow,
    Stop,
    StopCause,
    StopNow,
    Stuck,
    TearDownDue,
    TornDown,
)
from executor.pod.life.model import Container, Outcome, Phase, Pod, State
from executor.spec.model import ContainerKind, PodSpec

Step = tuple[Pod, tuple[Effect, ...]]

ENDED_PIDS_PER_CONTAINER = 2
"""So many runs of one container can end within the ten seconds before its back-off begins; a proof looks at two."""
KILLED_TOGETHER_S = 1.0
"""A revocation kills all its victims together when their grace is over. One that it does not come to kill for this long
is killed by itself.
"""
TEAR_DOWN_AGAIN_S = (1.0, 5.0, 30.0)
"""What holds a port may go away within seconds; after that the task's end is reported although the port is held."""


def step(pod: Pod, event: Event) -> Step:
    """The pod after `event`, and what must be done now, in this order. Raises IllegalTransition."""
    handler = TABLE.get((pod.state, type(event)))
    if handler is None:
        raise IllegalTransition(f"{type(event).__name__} does not belong to a pod that is {pod.state}")
    return handler(pod, event)


def begin(spec: PodSpec) -> Pod:
    """A pod before its launch."""
    policy, grace_s = spec.restart_policy, spec.termination_grace_s
    containers = {
        each.name: container_life.begin(each, policy, grace_s if each.grace_s is None else each.grace_s)
        for each in spec.containers
    }
    return Pod(spec, containers=containers)


# --- launch --------------------------------------------------------------------------------------------------


def _launch(pod: Pod, _: Launch) -> Step:
    effects: list[Effect] = [Report(pod.spec.task_ids, TaskState.STARTING), SetUp()]
    if pod.spec.active_deadline_s is not None:
        deadline = Stop(StopCause.DEADLINE, message=f"ran longer than its deadline of {pod.spec.active_deadline_s:g} s")
        effects.append(After(pod.spec.active_deadline_s, deadline))
    return replace(pod, state=State.SETTING_UP), tuple(effects)


def _ready(pod: Pod, event: SandboxReady) -> Step:
    has_init = any(each.kind is not ContainerKind.MAIN for each in pod.spec.containers)
    pod = replace(pod, state=State.INITIALIZING if has_init else State.STARTING, ips=event.ips)
    return _start_next(pod)


def _set_up_failed(pod: Pod, event: SetUpFailed) -> Step:
    return _destroy(replace(pod, outcome=_failure(event.error)))


def _failure(error: ExecutorError) -> Outcome:
    return Outcome(TaskState.FAILED, error.mesos_reason, str(error))


def _start_next(pod: Pod) -> Step:
    """Start the containers whose turn has come."""
    effects: list[Effect] = []
    for name in order.to_start(pod):
        pod, more = _take(pod, StartNow(name))
        effects.extend(more)
        if pod.containers[name].spec.kind is ContainerKind.MAIN:
            pod = replace(pod, state=State.STARTING)
    return pod, tuple(effects)


# --- containers ----------------------------------------------------------------------------------------------


def _take(pod: Pod, event: ContainerEvent, *, pod_ends: bool = False) -> Step:
    """The event in the life of its container, and nothing else."""
    before = pod.containers[event.container]
    after, effects = container_life.step(before, event, pod_ends=pod_ends)
    if isinstance(event, ContainerStarted) and event.pid in pod.ended_pids:  # the kernel uses it again
        pod = replace(pod, ended_pids=tuple(pid for pid in pod.ended_pids if pid != event.pid))
    ended = before.phase is not after.phase is Phase.ENDING
    if ended and before.pid is not None and isinstance(event, ContainerExited) and _explains_itself(before, event):
        kept = ENDED_PIDS_PER_CONTAINER * len(pod.containers)
        pod = replace(pod, ended_pids=(*pod.ended_pids, before.pid)[-kept:])
    return replace(pod, containers={**pod.containers, event.container: after}), effects


def _explains_itself(before: Container, event: ContainerExited) -> bool:
    """Whether the end of the first process needs no revocation as its cause."""
    return event.exit_code != KILLED_CODE or event.oom is not None or before.phase is Phase.STOPPING


def _of_container(pod: Pod, event: ContainerEvent) -> Step:
    """While the pod is launched, or runs."""
    before = pod.containers[event.container]
    pod, effects = _take(pod, event)
    pod, more = _settle(pod)
    changes: tuple[Effect, ...] = ()
    if pod.state is State.RUNNING:
        pod, changes = reports.health_changes(pod, event)
        changes += reports.unhealthy(pod, before)
    return pod, (*effects, *more, *changes)


def _start_failed(pod: Pod, event: StartFailed) -> Step:
    """A first start that fails ends the pod; of a restart that fails the restart policy decides what follows."""
    container = pod.containers[event.container]
    if container.restarts or container.phase not in (Phase.STARTING, Phase.ENDING):
        return _of_container(pod, event)
    pod, _ = _take(pod, event, pod_ends=True)
    return _destroy(replace(pod, outcome=_failure(event.error)))


def _settle(pod: Pod) -> Step:
    """What follows from the phases of the containers."""
    effects: list[Effect] = []
    if pod.state is State.INITIALIZING:
        failed = [each for each in pod.containers.values() if _has_failed_init(each)]
        if failed:
            return _wind_down(replace(pod, outcome=causes.of_container(failed[0])))
        pod, more = _start_next(pod)
        effects.extend(more)
    if pod.state is State.STARTING and not any(_is_starting(each) for each in pod.main):
        pod = replace(pod, state=State.RUNNING, healthy=health.of_pod(pod))
        effects.extend(reports.running(pod))
    pod, more = _settle_group(pod)
    effects.extend(more)
    if pod.state is State.RUNNING and all(each.phase is Phase.EXITED for each in pod.main):
        pod, more = _wind_down(replace(pod, outcome=causes.of_pod(pod.main)))
        effects.extend(more)
    return pod, tuple(effects)


def _is_starting(container: Container) -> bool:
    """A container runs once its postStart hook has ended."""
    return container.phase in (Phase.CREATED, Phase.STARTING) or (
        container.phase is Phase.RUNNING and not container.hooked
    )


def _has_failed_init(container: Container) -> bool:
    is_init = container.spec.kind is ContainerKind.INIT
    return is_init and container.phase is Phase.EXITED and container_life.failed(container)


def _settle_group(pod: Pod) -> Step:
    """In a task group each container is a task: its end is reported at once, and a failed one ends the group."""
    effects: list[Effect] = []
    failed = ""
    if len(pod.spec.task_ids) > 1:
        for container in pod.containers.values():
            task = container.spec.task_id
            if container.phase is Phase.EXITED and task not in pod.reported:
                outcome = causes.of_container(container)
                if pod.state is State.STARTING:  # it has run, and others of the group start yet
                    effects.append(Report((task,), TaskState.RUNNING))
                pod, report = reports.of_task(pod, task, outcome)
                effects.append(report)
                failed = failed or ("" if outcome.state is TaskState.FINISHED else str(task))
    if failed:
        pod, more = _stop(pod, Stop(StopCause.GROUP, message=f"task {failed} of the same group failed"))
        effects.extend(more)
    return pod, tuple(effects)


# --- the end -------------------------------------------------------------------------------------------------


def _stop(pod: Pod, stop: Stop) -> Step:
    has_own = stop.grace_s is None
    grace_s = pod.spec.termination_grace_s if stop.grace_s is None else stop.grace_s
    stop = replace(stop, grace_s=grace_s)
    outcome = pod.outcome or causes.of_stop(stop, pod.state)
    pod = replace(pod, stop=stop, own_graces=has_own, outcome=outcome)
    at_once = stop.cause in (StopCause.REVOKED, StopCause.DISK) and grace_s <= 0
    killing = () if at_once else (reports.killing(pod, outcome.message),)
    if pod.state is State.SETTING_UP:
        pod, effects = _destroy(pod)
        return pod, (*killing, Abort(), *effects)
    if grace_s <= 0:
        pod, effects = _destroy(pod)
    else:
        pod, effects = _wind_down(pod, _own_end_s(stop.cause, grace_s))
    return pod, (*killing, *effects)


def _own_end_s(cause: StopCause, grace_s: float) -> float:
    """When the pod ends its grace by itself, in seconds from now."""
    return grace_s + KILLED_TOGETHER_S if cause is StopCause.REVOKED else grace_s


def _wind_down(pod: Pod, end_s: float | None = None) -> Step:
    """Its outcome is decided: ask what runs to end, in its order, and kill it after `end_s`, or its own grace."""
    end_s = pod.spec.termination_grace_s if end_s is None else end_s
    probes = tuple(StopProbes(each.name) for each in pod.alive if each.phase is Phase.RUNNING and each.is_watched)
    pod, effects = _stop_next(replace(pod, state=State.STOPPING))
    effects = (*probes, *effects)
    return pod, effects if pod.state is State.DESTROYING else (*effects, After(end_s, GraceOver()))


def _stop_next(pod: Pod) -> Step:
    """Stop the containers whose turn has come; destroy the pod once none is left."""
    if not pod.alive:
        return _destroy(pod)
    effects: list[Effect] = []
    for name in order.to_stop(pod):
        own_s = pod.containers[name].spec.grace_s if pod.own_graces else None
        has_less = own_s is not None and own_s < pod.spec.termination_grace_s
        pod, more = _take(pod, StopNow(name, own_s if has_less else None), pod_ends=True)
        effects.extend(more)
    return pod, tuple(effects)


def _stop_harder(pod: Pod, stop: Stop) -> Step:
    grace_s = pod.spec.termination_grace_s if stop.grace_s is None else stop.grace_s
    if pod.stop is not None and pod.stop.grace_s is not None and grace_s >= pod.stop.grace_s:
        return pod, ()
    pod = replace(pod, stop=replace(pod.stop or stop, grace_s=grace_s))
    return _destroy(pod) if grace_s <= 0 else (pod, (After(_own_end_s(stop.cause, grace_s), GraceOver()),))


def _of_container_stopping(pod: Pod, event: ContainerEvent) -> Step:
    """A revocation waits for no log."""
    pod, effects = _take(pod, event, pod_ends=True)
    if pod.stop is not None and pod.stop.cause is StopCause.REVOKED:
        pod = _without_output(pod, event.container)
        effects = tuple(each for each in effects if not isinstance(each, CollectOutput))
    pod, more = _stop_next(pod)
    return pod, (*effects, *more)


def _without_output(pod: Pod, name: str) -> Pod:
    """A container has ended with its first process, where its output is not waited for."""
    container = pod.containers[name]
    if container.phase is not Phase.ENDING:
        return pod
    return _take(pod, OutputCollected(name, container.run), pod_ends=True)[0]


def _grace_over(pod: Pod, _: GraceOver) -> Step:
    return _destroy(pod)


def _destroy(pod: Pod) -> Step:
    living = [each for each in pod.alive if each.phase is not Phase.ENDING]
    ended = not living and any(each.run for each in pod.containers.values())
    watched = tuple(StopProbes(each.name) for each in living if each.is_watched and each.phase is Phase.RUNNING)
    revoked = pod.stop is not None and pod.stop.cause is StopCause.REVOKED
    return replace(pod, state=State.DESTROYING, exited=ended), (*watched, Destroy(collect_output=not revoked))


def _of_container_over(pod: Pod, event: ContainerEvent) -> Step:
    """An event of a pod that is being killed is only recorded: Destroy waits for the output of all."""
    pod, _ = _take(pod, event, pod_ends=True)
    return _without_output(pod, event.container), ()


def _note_stuck(pod: Pod, event: Stuck) -> Step:
    pod = replace(pod, stuck=event.pids)
    if pod.stop is None or pod.outcome is None:
        return pod, ()
    pids = ", ".join(str(pid) for pid in event.pids)
    return pod, (reports.killing(pod, f"{pod.outcome.message}; its processes {pids} do not die"),)


def _dead(pod: Pod, _: Dead) -> Step:
    pod = replace(pod, state=State.TEARING_DOWN, stuck=())
    if pod.reported_after_tear_down:
        return pod, (_tear_down(pod),)
    pod, ends = reports.final(pod)
    return pod, (*ends, _tear_down(pod))


def _tear_down(pod: Pod) -> TearDown:
    return TearDown(gently=pod.release_can_wait, over_disk=pod.over_disk)


def _network_released(pod: Pod, _: NetworkReleased) -> Step:
    return (pod, ()) if pod.over_disk else reports.final(pod)


def _torn_down(pod: Pod, event: TornDown) -> Step:
    pod = replace(pod, leaked=event.leaked)
    if event.leaked and pod.spec.host_ports and reports.open_tasks(pod) and pod.tear_downs < len(TEAR_DOWN_AGAIN_S):
        again = After(TEAR_DOWN_AGAIN_S[pod.tear_downs], TearDownDue())
        return replace(pod, tear_downs=pod.tear_downs + 1), (again,)
    return reports.final(replace(pod, state=State.ENDED))


def _tear_down_again(pod: Pod, _: TearDownDue) -> Step:
    return pod, (_tear_down(pod),)


# --- the table -----------------------------------------------------------------------------------------------

Handler = Callable[[Pod, Any], Step]


def _ignore(pod: Pod, _: Event) -> Step:
    return pod, ()


_CONTAINER_EVENTS: tuple[type[Any], ...] = (
    ContainerStarted, StartFailed, PostStartEnded, Probed, ContainerExited, OutputCollected, RestartDue, KillDue,
    RunOver,
)  # fmt: skip


def _containers(handler: Handler) -> dict[type[Any], Handler]:
    return dict.fromkeys(_CONTAINER_EVENTS, handler)


_LATE: dict[type[Any], Handler] = {Stop: _ignore, GraceOver: _ignore}
"""The events that a pod ignores whose end is under way."""

_BY_STATE: dict[State, dict[type[Any], Handler]] = {
    State.NEW: {Launch: _launch},
    State.SETTING_UP: {SandboxReady: _ready, SetUpFailed: _set_up_failed, ContainerExited: _ignore, Stop: _stop},
    State.INITIALIZING: {**_containers(_of_container), StartFailed: _start_failed, Stop: _stop},
    State.STARTING: {**_containers(_of_container), StartFailed: _start_failed, Stop: _stop},
    State.RUNNING: {**_containers(_of_container), Stop: _stop},
    State.STOPPING: {**_containers(_of_container_stopping), GraceOver: _grace_over, Stop: _stop_harder},
    State.DESTROYING: {
        **_LATE,
        **_containers(_of_container_over),
        SandboxReady: _ignore,
        SetUpFailed: _ignore,
        Stuck: _note_stuck,
        Dead: _dead,
    },
    State.TEARING_DOWN: {
        **_LATE,
        **_containers(_of_container_over),
        Stuck: _ignore,
        NetworkReleased: _network_released,
        TornDown: _torn_down,
        TearDownDue: _tear_down_again,
    },
    State.ENDED: {**_LATE, **_containers(_ignore), Stuck: _ignore},
}
TABLE = {(state, event): handler for state, row in _BY_STATE.items() for event, handler in row.items()}
