"""What happens to a pod, as one pure table: `step(pod, event) -> (pod, effects)`.

    NEW ─Launch─▶ SETTING_UP ─SandboxReady─▶ STARTING ─all started─▶ RUNNING ◀─┐
                      │                         │                     │  │     │ RestartDue
                      │ SetUpFailed, Stop       │ StartFailed         │  └─────┘
                      │                         │        Stop ◀───────┤
                      │                         ▼          │          │ all exited
                      │                      STOPPING ◀────┘          │
                      │                         │ GraceOver, all gone │
                      ▼                         ▼                     ▼
                  DESTROYING ◀──────────────────┴─────────────────────┘
                      │ Dead
                      ▼
                TEARING_DOWN ─TornDown─▶ ENDED

Invariants. No I/O and no clock. An event that is not in the table for the pod's state is an `IllegalTransition` and
changes nothing. The first cause of a pod's end is its outcome; a later Stop can only hasten it. DESTROYING is on
every way out, so a terminal status is never sent while a process of the pod lives; TEARING_DOWN always follows it, so
nothing is left behind. A terminal status waits for the release of the network when the pod holds host ports, because
Mesos offers them anew on that status; one that fails is tried again for a while first. It waits for the whole tear-down
when the pod used too much disk, because on that status the agent takes the task's disk from what the container may
hold. TASK_KILLING says that a pod is within its grace, or does not die: one that a revocation ends at once is not told
of twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from executor.errors import ExecutorError
from executor.mesos.status import DISK_LIMIT, TaskState, describe_exit
from executor.names import TaskId
from executor.pod.exits.causes import children_killed, out_of_memory
from executor.pod.model import (
    Abort,
    After,
    ContainerExited,
    ContainerStarted,
    ContainerStatus,
    Dead,
    Destroy,
    Effect,
    Event,
    GraceOver,
    Launch,
    NetworkReleased,
    Outcome,
    Phase,
    Pod,
    Report,
    RestartDue,
    SandboxReady,
    SetUp,
    SetUpFailed,
    Start,
    StartFailed,
    State,
    Stop,
    StopCause,
    Stuck,
    TearDown,
    TearDownDue,
    Terminate,
    TornDown,
)
from executor.spec.model import PodSpec, RestartPolicy

Step = tuple[Pod, tuple[Effect, ...]]

BACK_OFF_S = (
    10.0  # kubelet's crash-loop back-off: at once, then 10 s doubling up to 5 min, forgotten after 10 min of running
)
BACK_OFF_MAX_S = 300.0
BACK_OFF_FORGET_S = 600.0
TEAR_DOWN_AGAIN_S = (1.0, 5.0, 30.0)
"""What holds a port may be some seconds' trouble; after that Mesos must hear of the task's end all the same."""
KILLED_CODE = 137  # 128 + SIGKILL
START_FAILED_CODE = 128  # what container runtimes report for a process that could not be started


class IllegalTransition(ExecutorError):
    """The event does not belong to the pod's state; the pod is as it was."""


def step(pod: Pod, event: Event) -> Step:
    """The pod after `event`, and what must be done now, in this order. Raises IllegalTransition."""
    handler = _TABLE.get((pod.state, type(event)))
    if handler is None:
        raise IllegalTransition(f"{type(event).__name__} does not belong to a pod that is {pod.state}")
    return handler(pod, event)


def begin(spec: PodSpec) -> Pod:
    """A pod that nobody has launched yet."""
    return Pod(spec=spec, containers={container.name: ContainerStatus() for container in spec.containers})


# --- launch --------------------------------------------------------------------------------------------------


def _launch(pod: Pod, _: Launch) -> Step:
    effects: list[Effect] = [Report(pod.spec.task_ids, TaskState.STARTING), SetUp()]
    if pod.spec.active_deadline_s is not None:
        deadline = Stop(StopCause.DEADLINE, message=f"ran longer than its deadline of {pod.spec.active_deadline_s:g} s")
        effects.append(After(pod.spec.active_deadline_s, deadline))
    return replace(pod, state=State.SETTING_UP), tuple(effects)


def _ready(pod: Pod, event: SandboxReady) -> Step:
    names = tuple(pod.containers)
    return replace(pod, state=State.STARTING, ips=event.ips, starting=frozenset(names)), (Start(names),)


def _set_up_failed(pod: Pod, event: SetUpFailed) -> Step:
    return _destroy(replace(pod, outcome=_failure(event.error)))


def _failure(error: ExecutorError) -> Outcome:
    return Outcome(TaskState.FAILED, error.mesos_reason, str(error))


# --- containers ----------------------------------------------------------------------------------------------


def _with(pod: Pod, container: str, status: ContainerStatus) -> Pod:
    return replace(pod, containers={**pod.containers, container: status}, starting=pod.starting - {container})


def _record_started(pod: Pod, event: ContainerStarted) -> Pod:
    if event.container not in pod.starting:  # its exit, which comes by another way, was faster
        return pod
    status = replace(pod.containers[event.container], phase=Phase.RUNNING, pid=event.pid, exit_code=None)
    return _with(pod, event.container, status)


def _record_exit(pod: Pod, event: ContainerExited) -> Pod:
    before = pod.containers[event.container]
    restarts = 0 if event.ran_s >= BACK_OFF_FORGET_S else before.restarts
    status = replace(
        before,
        phase=Phase.EXITED,
        pid=None,
        exit_code=event.exit_code,
        oom=event.oom,
        oom_kills=event.oom_kills,
        restarts=restarts,
        message="",
    )
    if before.pid is not None and (event.exit_code != KILLED_CODE or event.oom is not None):
        pod = replace(pod, ended_pids=pod.ended_pids | {before.pid})
    return _with(pod, event.container, status)


def _record_start_failed(pod: Pod, event: StartFailed) -> Pod:
    status = replace(
        pod.containers[event.container],
        phase=Phase.EXITED,
        pid=None,
        exit_code=START_FAILED_CODE,
        message=str(event.error),
    )
    return _with(pod, event.container, status)


def _started(pod: Pod, event: ContainerStarted) -> Step:
    return _settle(_record_started(pod, event))


def _exited(pod: Pod, event: ContainerExited) -> Step:
    """An exit may be told twice: by containerd's event, and by the look-up after the stream of events was cut."""
    if event.container not in pod.starting and pod.containers[event.container].phase is not Phase.RUNNING:
        return pod, ()
    return _settle(_record_exit(pod, event))


def _first_start_failed(pod: Pod, event: StartFailed) -> Step:
    return _destroy(replace(_record_start_failed(pod, event), outcome=_failure(event.error)))


def _restart_failed(pod: Pod, event: StartFailed) -> Step:
    return _settle(_record_start_failed(pod, event))


def _restart(pod: Pod, event: RestartDue) -> Step:
    status = pod.containers[event.container]
    if status.phase is not Phase.BACKING_OFF or event.container in pod.starting:
        return pod, ()
    pod = replace(
        pod,
        containers={**pod.containers, event.container: replace(status, restarts=status.restarts + 1)},
        starting=pod.starting | {event.container},
    )
    return pod, (Start((event.container,), fresh=True),)


def _settle(pod: Pod) -> Step:
    """What follows from the containers' states once every first start is through."""
    effects: list[Effect] = []
    if pod.state is State.STARTING:
        if pod.starting:
            return pod, ()
        pod = replace(pod, state=State.RUNNING)
        effects.append(Report(pod.spec.task_ids, TaskState.RUNNING))
    for name, status in pod.containers.items():
        if status.phase is Phase.EXITED and _restarts(pod.spec.restart_policy, status):
            pod = replace(pod, containers={**pod.containers, name: replace(status, phase=Phase.BACKING_OFF)})
            effects.append(After(back_off_s(status.restarts), RestartDue(name)))
    pod, more = _settle_group(pod)
    effects.extend(more)
    if pod.state is State.RUNNING and all(status.phase is Phase.EXITED for status in pod.containers.values()):
        pod, more = _destroy(replace(pod, outcome=_completion(pod)))
        effects.extend(more)
    return pod, tuple(effects)


def _restarts(policy: RestartPolicy, status: ContainerStatus) -> bool:
    return policy is RestartPolicy.ALWAYS or (policy is RestartPolicy.ON_FAILURE and status.exit_code != 0)


def back_off_s(restarts: int) -> float:
    """Seconds before a container is started again for the `restarts`+1-th time."""
    return 0.0 if restarts == 0 else min(BACK_OFF_MAX_S, BACK_OFF_S * 2 ** min(restarts - 1, 8))


def _settle_group(pod: Pod) -> Step:
    """In a task group each container is a task: its end is reported at once, and a failed one ends the group."""
    effects: list[Effect] = []
    failed = ""
    if len(pod.spec.task_ids) > 1:
        for container in pod.spec.containers:
            status = pod.containers[container.name]
            if status.phase is Phase.EXITED and container.task_id not in pod.reported:
                outcome = _ended(container.name, status)
                pod, report = _report_task(pod, container.task_id, outcome)
                effects.append(report)
                failed = failed or ("" if outcome.state is TaskState.FINISHED else str(container.task_id))
    if failed:
        pod, more = _stop(pod, Stop(StopCause.GROUP, message=f"task {failed} of the same group failed"))
        effects.extend(more)
    return pod, tuple(effects)


def _ended(name: str, status: ContainerStatus) -> Outcome:
    if status.oom is not None:
        return out_of_memory(name, status.oom)
    if status.exit_code == 0:
        return Outcome(TaskState.FINISHED, None, f"container {name} {describe_exit(0)}")
    detail = f": {status.message}" if status.message else ""
    memory = children_killed(status.oom_kills)
    return Outcome(TaskState.FAILED, None, f"container {name} {describe_exit(status.exit_code or 0)}{detail}{memory}")


def _completion(pod: Pod) -> Outcome:
    """Every container is through: the first failure tells, else the pod is finished."""
    ends = [_ended(name, status) for name, status in pod.containers.items()]
    failures = [end for end in ends if end.state is not TaskState.FINISHED]
    if failures:
        return failures[0]
    return ends[0] if len(ends) == 1 else Outcome(TaskState.FINISHED, None, "every container exited with 0")


# --- the end -------------------------------------------------------------------------------------------------

_CAUSES = {
    StopCause.KILL: (TaskState.KILLED, None, "killed by the scheduler"),
    StopCause.SHUTDOWN: (TaskState.KILLED, "REASON_EXECUTOR_TERMINATED", "the executor is shutting down"),
    StopCause.REVOKED: (TaskState.GONE, "REASON_CONTAINER_PREEMPTED", "revoked"),
    StopCause.DEADLINE: (TaskState.FAILED, "REASON_MAX_COMPLETION_TIME_REACHED", "ran longer than allowed"),
    StopCause.DISK: (TaskState.FAILED, DISK_LIMIT, "used more disk than it may"),
    StopCause.GROUP: (TaskState.KILLED, None, "another task of the group failed"),
}


def _stop(pod: Pod, stop: Stop) -> Step:
    grace_s = pod.spec.termination_grace_s if stop.grace_s is None else stop.grace_s
    stop = replace(stop, grace_s=grace_s)
    state, reason, message = _CAUSES[stop.cause]
    if stop.cause is StopCause.KILL and pod.state in (State.SETTING_UP, State.STARTING):
        reason = "REASON_TASK_KILLED_DURING_LAUNCH"
    outcome = pod.outcome or Outcome(state, reason, stop.message or message, stop.revocation, stop.limit_bytes)
    pod = replace(pod, stop=stop, outcome=outcome)
    at_once = stop.cause in (StopCause.REVOKED, StopCause.DISK) and grace_s <= 0
    killing = () if at_once else (_killing(pod, outcome.message),)
    if pod.state is State.SETTING_UP:
        pod, effects = _destroy(pod)
        return pod, (*killing, Abort(), *effects)
    if grace_s <= 0 or not (pod.running or pod.starting):
        pod, effects = _destroy(pod)
        return pod, (*killing, *effects)
    return replace(pod, state=State.STOPPING), (*killing, Terminate(pod.running), After(grace_s, GraceOver()))


def _killing(pod: Pod, message: str) -> Report:
    return Report(
        _open_tasks(pod), TaskState.KILLING, message=message, revocation=pod.stop.revocation if pod.stop else None
    )


def _stop_harder(pod: Pod, stop: Stop) -> Step:
    grace_s = pod.spec.termination_grace_s if stop.grace_s is None else stop.grace_s
    if pod.stop is not None and pod.stop.grace_s is not None and grace_s >= pod.stop.grace_s:
        return pod, ()
    pod = replace(pod, stop=replace(pod.stop or stop, grace_s=grace_s))
    return _destroy(pod) if grace_s <= 0 else (pod, (After(grace_s, GraceOver()),))


def _started_late(pod: Pod, event: ContainerStarted) -> Step:
    if event.container not in pod.starting:
        return pod, ()
    return _record_started(pod, event), (Terminate((event.container,)),)


def _exited_stopping(pod: Pod, event: ContainerExited) -> Step:
    return _destroy_when_empty(_record_exit(pod, event))


def _start_failed_stopping(pod: Pod, event: StartFailed) -> Step:
    return _destroy_when_empty(_record_start_failed(pod, event))


def _destroy_when_empty(pod: Pod) -> Step:
    return (pod, ()) if pod.running or pod.starting else _destroy(pod)


def _grace_over(pod: Pod, _: GraceOver) -> Step:
    return _destroy(pod)


def _destroy(pod: Pod) -> Step:
    ended = all(status.phase in (Phase.EXITED, Phase.BACKING_OFF) for status in pod.containers.values())
    return replace(pod, state=State.DESTROYING, exited=ended and not pod.starting), (Destroy(),)


def _note_stuck(pod: Pod, event: Stuck) -> Step:
    pod = replace(pod, stuck=event.pids)
    if pod.stop is None or pod.outcome is None:
        return pod, ()
    pids = ", ".join(str(pid) for pid in event.pids)
    return pod, (_killing(pod, f"{pod.outcome.message}; its processes {pids} do not die"),)


def _dead(pod: Pod, _: Dead) -> Step:
    pod = replace(pod, state=State.TEARING_DOWN, starting=frozenset(), stuck=())
    if pod.reported_after_tear_down:
        return pod, (TearDown(),)
    pod, reports = _final_reports(pod)
    return pod, (*reports, TearDown())


def _network_released(pod: Pod, _: NetworkReleased) -> Step:
    return (pod, ()) if pod.over_disk else _final_reports(pod)


def _torn_down(pod: Pod, event: TornDown) -> Step:
    pod = replace(pod, leaked=event.leaked)
    if event.leaked and pod.spec.host_ports and _open_tasks(pod) and pod.tear_downs < len(TEAR_DOWN_AGAIN_S):
        again = After(TEAR_DOWN_AGAIN_S[pod.tear_downs], TearDownDue())
        return replace(pod, tear_downs=pod.tear_downs + 1), (again,)
    return _final_reports(replace(pod, state=State.ENDED))


def _tear_down_again(pod: Pod, _: TearDownDue) -> Step:
    return pod, (TearDown(),)


def _open_tasks(pod: Pod) -> tuple[TaskId, ...]:
    return tuple(task for task in pod.spec.task_ids if task not in pod.reported)


def _final_reports(pod: Pod) -> Step:
    outcome = pod.outcome or _completion(pod)
    effects: list[Effect] = []
    for task in _open_tasks(pod):
        pod, report = _report_task(pod, task, outcome)
        effects.append(report)
    return pod, tuple(effects)


def _report_task(pod: Pod, task: TaskId, outcome: Outcome) -> tuple[Pod, Report]:
    report = Report((task,), outcome.state, outcome.reason, outcome.message, outcome.revocation, outcome.limit_bytes)
    return replace(pod, reported=pod.reported | {task}), report


# --- the table -----------------------------------------------------------------------------------------------


def _ignore(pod: Pod, _: Event) -> Step:
    return pod, ()


def _only_record_started(pod: Pod, event: ContainerStarted) -> Step:
    return _record_started(pod, event), ()


def _only_record_exit(pod: Pod, event: ContainerExited) -> Step:
    return _record_exit(pod, event), ()


def _only_record_start_failed(pod: Pod, event: StartFailed) -> Step:
    return _record_start_failed(pod, event), ()


_LATE = {RestartDue: _ignore, Stop: _ignore, GraceOver: _ignore}  # timers and wishes that outlived their purpose

_BY_STATE: dict[State, dict[type[Any], Callable[..., Step]]] = {
    State.NEW: {Launch: _launch},
    State.SETTING_UP: {SandboxReady: _ready, SetUpFailed: _set_up_failed, Stop: _stop},
    State.STARTING: {
        ContainerStarted: _started,
        StartFailed: _first_start_failed,
        ContainerExited: _exited,
        Stop: _stop,
    },
    State.RUNNING: {
        ContainerStarted: _started,
        StartFailed: _restart_failed,
        ContainerExited: _exited,
        RestartDue: _restart,
        Stop: _stop,
    },
    State.STOPPING: {
        ContainerStarted: _started_late,
        StartFailed: _start_failed_stopping,
        ContainerExited: _exited_stopping,
        GraceOver: _grace_over,
        RestartDue: _ignore,
        Stop: _stop_harder,
    },
    State.DESTROYING: {
        **_LATE,
        SandboxReady: _ignore,
        SetUpFailed: _ignore,
        ContainerStarted: _only_record_started,
        StartFailed: _only_record_start_failed,
        ContainerExited: _only_record_exit,
        Stuck: _note_stuck,
        Dead: _dead,
    },
    State.TEARING_DOWN: {
        **_LATE,
        ContainerExited: _only_record_exit,
        Stuck: _ignore,
        NetworkReleased: _network_released,
        TornDown: _torn_down,
        TearDownDue: _tear_down_again,
    },
    State.ENDED: {**_LATE, ContainerExited: _ignore, Stuck: _ignore},
}
_TABLE = {(state, event): handler for state, row in _BY_STATE.items() for event, handler in row.items()}
