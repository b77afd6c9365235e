"""What happens to one container, as one pure table: `step(container, event, pod_ends=...) -> (container, effects)`.

    CREATED ─StartNow─▶ STARTING ─ContainerStarted─▶ RUNNING ─StopNow, RunOver, probe or hook──▶ STOPPING
                           │                            │                                           │ KillDue ─▶ Kill
                           │ ContainerExited            │ ContainerExited                           │ ContainerExited
                           ├─────────────▶ ENDING ◀─────┴───────────────────────────────────────────┘
                           │                 │ OutputCollected
                           │ StartFailed     ▼
                           └────────▶ its restart policy ─▶ EXITED
                                             │
                                             ▼
                                        BACKING_OFF ─RestartDue─▶ STARTING

Invariants. No I/O and no clock. The table names every event for every phase: what comes late changes nothing. `run`
counts the starts: an event of an earlier run changes nothing. While the pod ends, the pod's life cycle alone decides
when a container is stopped: a probe or a hook that fails does not.

An exit is believed once its output is in the log (ENDING). An unexplained SIGKILL waits there for DOUBT_S as well: it
may be the agent's, which ends a Mesos container through its cgroups one after the other, and on a busy node reaches
pods well before the executor. An executor that lives on reports it then; of one that does not, the agent does. A
SIGKILL is explained by a memory limit that was met, by the executor's own stop of the container, and by its pod's end.

Sources: Kubernetes, "Pod Lifecycle" (restart policy, back-off, probes, hooks) and kubelet's kuberuntime_manager.go (a
container that a probe ended is restarted unless the policy is Never, for any exit code).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from executor.errors import ExecutorError
from executor.pod.life.effects import (
    After,
    CollectOutput,
    ContainerEffect,
    Kill,
    Start,
    StartProbes,
    StopProbes,
    Terminate,
)
from executor.pod.life.events import (
    ContainerEvent,
    ContainerExited,
    ContainerStarted,
    KillDue,
    OutputCollected,
    PostStartEnded,
    Probed,
    RestartDue,
    RunEvent,
    RunOver,
    StartFailed,
    StartNow,
    StopNow,
)
from executor.pod.life.model import Container, Phase
from executor.spec.model import ContainerKind, ContainerSpec, RestartPolicy
from executor.spec.probes import Kind

Step = tuple[Container, tuple[ContainerEffect, ...]]
PodEnds = bool
"""Whether the pod is being stopped."""

BACK_OFF_S = 10.0
"""kubelet's crash-loop back-off: at once, then 10 s doubling up to 5 min, forgotten after 10 min of running."""
BACK_OFF_MAX_S = 300.0
BACK_OFF_FORGET_S = 600.0
DOUBT_S = 1.0
"""How long an unexplained SIGKILL waits for the executor's own end."""
KILLED_CODE = 137  # 128 + SIGKILL
START_FAILED_CODE = 128  # what container runtimes report for a process that could not be started


class IllegalTransition(ExecutorError):
    """The event does not belong to the state; nothing has changed."""


def begin(spec: ContainerSpec, policy: RestartPolicy, grace_s: float) -> Container:
    """A container that waits for its turn, in a pod with this policy and grace. A sidecar is always restarted, and an
    init container without a policy of its own until it has succeeded (KEP-753).
    """
    if spec.kind is ContainerKind.SIDECAR:
        policy = RestartPolicy.ALWAYS
    elif spec.restart_policy is not None:
        policy = spec.restart_policy
    elif spec.kind is ContainerKind.INIT and policy is RestartPolicy.ALWAYS:
        policy = RestartPolicy.ON_FAILURE
    return Container(spec, policy, grace_s)


def step(container: Container, event: ContainerEvent, *, pod_ends: PodEnds = False) -> Step:
    """The container after `event`, and what must be done now, in this order. `pod_ends`: the pod is being stopped, so
    nothing is restarted, every SIGKILL is explained, and its probes were ended. Raises IllegalTransition.
    """
    if isinstance(event, RunEvent) and event.run < container.run:
        return container, ()
    handler = TABLE.get((container.phase, type(event)))
    if handler is None:
        raise IllegalTransition(
            f"{type(event).__name__} does not belong to a container that is {container.phase}",
            subject=f"container {container.name}",
        )
    return handler(container, event, pod_ends)


def back_off_s(restarts: int) -> float:
    """Seconds before a container is started again for the `restarts`+1-th time."""
    return 0.0 if restarts == 0 else min(BACK_OFF_MAX_S, BACK_OFF_S * 2 ** min(restarts - 1, 8))


def failed(container: Container) -> bool:
    """Whether its last run ended as a failure: by its exit code, or because the executor had to stop it."""
    return container.exit_code != 0 or bool(container.stop_message)


# --- start ---------------------------------------------------------------------------------------------------


def _start(container: Container, _: StartNow, _ends: PodEnds) -> Step:
    container = replace(container, phase=Phase.STARTING, run=container.run + 1)
    return container, (Start(container.name, container.run),)


def _restart(container: Container, _: RestartDue, pod_ends: PodEnds) -> Step:
    if pod_ends:
        return container, ()
    run = container.run + 1
    container = replace(container, phase=Phase.STARTING, run=run, restarts=container.restarts + 1)
    return container, (Start(container.name, run, fresh=True),)


def _started(container: Container, event: ContainerStarted, pod_ends: PodEnds) -> Step:
    container = replace(
        container,
        phase=Phase.RUNNING,
        pid=event.pid,
        exit_code=None,
        stop_message="",
        overdue=False,
        hooked=container.spec.hooks.post_start is None,
        verdicts={},
    )
    effects: list[ContainerEffect] = []
    if container.is_watched and not pod_ends:
        effects.append(StartProbes(container.name, container.run))
    if container.spec.deadline_s is not None:
        effects.append(After(container.spec.deadline_s, RunOver(container.name, container.run)))
    return container, tuple(effects)


def _start_failed(container: Container, event: StartFailed, pod_ends: PodEnds) -> Step:
    container = replace(container, pid=None, exit_code=START_FAILED_CODE, message=str(event.error), stop_message="")
    return _ended(container, pod_ends)


# --- running -------------------------------------------------------------------------------------------------


def _hook_ended(container: Container, event: PostStartEnded, pod_ends: PodEnds) -> Step:
    if event.error:
        if pod_ends:
            return container, ()
        return _stop_alone(container, f"its postStart hook failed: {event.error}", container.grace_s)
    return replace(container, hooked=True), ()


def _probed(container: Container, event: Probed, pod_ends: PodEnds) -> Step:
    verdict = event.verdict
    if verdict.fatal and pod_ends:
        return container, ()
    container = replace(container, verdicts={**container.verdicts, verdict.kind: verdict})
    if not verdict.fatal:
        return container, ()
    probe = container.spec.probes.of(verdict.kind)
    grace_s = container.grace_s if probe is None or probe.grace_s is None else probe.grace_s
    return _stop_alone(container, f"its {verdict.kind} {_word(verdict.kind)} failed: {verdict.message}", grace_s)


def _word(kind: Kind) -> str:
    return "check" if kind is Kind.HEALTH else "probe"


def _stop_alone(container: Container, message: str, grace_s: float) -> Step:
    """Stop this run, while the pod lives on; the restart policy decides what follows."""
    name, run = container.name, container.run
    probes = (StopProbes(name),) if container.is_watched else ()
    container = replace(container, phase=Phase.STOPPING, stop_message=message)
    return container, (*probes, Terminate(name, run), After(grace_s, KillDue(name, run)))


def _run_over(container: Container, _: RunOver, pod_ends: PodEnds) -> Step:
    """Killed without a grace, as by Mesos' own executors (DefaultExecutor::maxCompletion)."""
    if pod_ends:
        return container, ()
    message = f"it ran longer than its max_completion_time of {container.spec.deadline_s or 0.0:g} s"
    probes = (StopProbes(container.name),) if container.is_watched else ()
    container = replace(container, phase=Phase.STOPPING, overdue=True, stop_message=message)
    return container, (*probes, Kill(container.name, container.run))


def _stop(container: Container, event: StopNow, _ends: PodEnds) -> Step:
    """Its probes ended with the stop of its pod."""
    name, run = container.name, container.run
    after = () if event.grace_s is None else (After(event.grace_s, KillDue(name, run)),)
    return replace(container, phase=Phase.STOPPING), (Terminate(name, run), *after)


def _kill(container: Container, _: KillDue, _ends: PodEnds) -> Step:
    return container, (Kill(container.name, container.run),)


# --- the end -------------------------------------------------------------------------------------------------


def _exited(container: Container, event: ContainerExited, pod_ends: PodEnds) -> Step:
    explained = pod_ends or container.phase is Phase.STOPPING or event.oom is not None
    has_probes = container.is_watched and container.phase is Phase.RUNNING and not pod_ends
    probes = (StopProbes(container.name),) if has_probes else ()
    doubt_s = DOUBT_S if event.exit_code == KILLED_CODE and not explained else 0.0
    container = replace(
        container,
        phase=Phase.ENDING,
        exit_code=event.exit_code,
        oom=event.oom,
        oom_kills=event.oom_kills,
        restarts=0 if event.ran_s >= BACK_OFF_FORGET_S else container.restarts,
        message="",
        stop_message=container.stop_message if container.phase is Phase.STOPPING else "",
    )
    return container, (*probes, CollectOutput(container.name, container.run, doubt_s, event.exit_code))


def _collected(container: Container, event: OutputCollected, pod_ends: PodEnds) -> Step:
    return _ended(replace(container, pid=None, message=event.message), pod_ends)


def _ended(container: Container, pod_ends: PodEnds) -> Step:
    if pod_ends or not _restarts(container):
        return replace(container, phase=Phase.EXITED), ()
    delay_s = back_off_s(container.restarts)
    return replace(container, phase=Phase.BACKING_OFF), (After(delay_s, RestartDue(container.name)),)


def _restarts(container: Container) -> bool:
    if any((container.exit_code in rule.codes) is not rule.negated for rule in container.spec.restart_rules):
        return True
    policy = container.restart_policy
    return policy is RestartPolicy.ALWAYS or (policy is RestartPolicy.ON_FAILURE and failed(container))


def _ignore(container: Container, _: ContainerEvent, _ends: PodEnds) -> Step:
    return container, ()


# --- the table -----------------------------------------------------------------------------------------------

Handler = Callable[[Container, Any, PodEnds], Step]


def _row(taken: dict[type[Any], Handler], ignored: Iterable[type[Any]]) -> dict[type[Any], Handler]:
    return taken | dict.fromkeys(ignored, _ignore)


_OF_A_RUN = (PostStartEnded, Probed, OutputCollected, KillDue, RunOver)
"""These may come when their run is over."""

_BY_PHASE: dict[Phase, dict[type[Any], Handler]] = {
    Phase.CREATED: _row({StartNow: _start}, (ContainerExited, StopNow)),
    Phase.STARTING: _row(
        {ContainerStarted: _started, StartFailed: _start_failed, ContainerExited: _exited},
        (*_OF_A_RUN, RestartDue, StopNow),
    ),
    Phase.RUNNING: _row(
        {
            ContainerExited: _exited,
            PostStartEnded: _hook_ended,
            Probed: _probed,
            RunOver: _run_over,
            StopNow: _stop,
        },
        (ContainerStarted, OutputCollected, RestartDue, KillDue),
    ),
    Phase.STOPPING: _row(
        {ContainerExited: _exited, KillDue: _kill},
        (ContainerStarted, PostStartEnded, Probed, OutputCollected, RestartDue, RunOver, StopNow),
    ),
    Phase.ENDING: _row(
        {OutputCollected: _collected, StartFailed: _start_failed},
        (ContainerStarted, PostStartEnded, Probed, ContainerExited, RestartDue, RunOver, StopNow, KillDue),
    ),
    Phase.BACKING_OFF: _row(
        {RestartDue: _restart}, (*_OF_A_RUN, ContainerStarted, StartFailed, ContainerExited, StopNow)
    ),
    Phase.EXITED: _row({}, (*_OF_A_RUN, ContainerStarted, StartFailed, ContainerExited, RestartDue, StopNow)),
}
TABLE = {(phase, event): handler for phase, row in _BY_PHASE.items() for event, handler in row.items()}
