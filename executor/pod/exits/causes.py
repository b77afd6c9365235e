"""What the end of a container, or of a pod, means for its tasks. Pure.

A limit of its own (the container's or its pod's) is the task's concern: it failed, and the status names the limit. A
limit that it shares with others is not: what was borrowed has been taken back, as by a revocation, and a regular task
has failed without having done wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from executor.mesos.status import (
    DISK_LIMIT,
    EXECUTOR_TERMINATED,
    KILLED_DURING_LAUNCH,
    MAX_COMPLETION,
    MEMORY_LIMIT,
    PREEMPTED,
    TaskState,
    describe_exit,
)
from executor.pod.life.events import OOMD, Oom, Stop, StopCause
from executor.pod.life.model import Container, Outcome, State
from executor.spec.model import ContainerKind
from executor.spec.probes import Kind

_STOPS = {
    StopCause.KILL: (TaskState.KILLED, None, "killed by the scheduler"),
    StopCause.SHUTDOWN: (TaskState.KILLED, EXECUTOR_TERMINATED, "the executor is shutting down"),
    StopCause.REVOKED: (TaskState.GONE, PREEMPTED, "revoked"),
    StopCause.DEADLINE: (TaskState.FAILED, MAX_COMPLETION, "ran longer than allowed"),
    StopCause.DISK: (TaskState.FAILED, DISK_LIMIT, "used more disk than it may"),
    StopCause.GROUP: (TaskState.KILLED, None, "another task of the group failed"),
}
_LAUNCHING = (State.SETTING_UP, State.INITIALIZING, State.STARTING)
_LEVELS = {
    "container": "its own limit",
    "pod": "the limit of its pod",
    "role": "the limit of its role on this node",
    "class": "the limit of all revocable pods together",
    "executor": "the limit of the executor's Mesos container",
}


def children_killed(count: int) -> str:
    """For the message of a container that failed by itself. The reason is not the limit: what a process makes of the
    end of its child is its own decision.
    """
    return f"; the kernel killed {count} process{'' if count == 1 else 'es'} of it for memory" if count else ""


def out_of_memory(container: str, oom: Oom) -> Outcome:
    """Raises nothing; a level without a limit of its own is the node."""
    where = _LEVELS.get(oom.level, "the memory of the node")
    limit = f" of {oom.limit_bytes} bytes ({oom.limit_bytes / 2**20:.1f} MiB)" if oom.limit_bytes else ""
    message = f"container {container} was killed for memory: {where}{limit} was met"
    if oom.level == OOMD:
        message = f"container {container} was killed by systemd-oomd, because the node was short of memory"
    if oom.level in ("container", "pod"):
        return Outcome(TaskState.FAILED, MEMORY_LIMIT, message, limit_bytes=oom.limit_bytes)
    if oom.revocable:
        return Outcome(TaskState.GONE, PREEMPTED, message)
    return Outcome(TaskState.FAILED, MEMORY_LIMIT if oom.level in _LEVELS else None, message)


def of_stop(stop: Stop, state: State) -> Outcome:
    """The outcome of a pod that is stopped in this state."""
    task_state, reason, message = _STOPS[stop.cause]
    if stop.cause is StopCause.KILL and state in _LAUNCHING:
        reason = KILLED_DURING_LAUNCH
    return Outcome(task_state, reason, stop.message or message, stop.revocation, stop.limit_bytes)


def of_container(container: Container) -> Outcome:
    """The outcome of a container that has ended for good."""
    kind = "" if container.spec.kind is ContainerKind.MAIN else f"{container.spec.kind} "
    name = f"{kind}container {container.name}"
    if container.oom is not None:
        return out_of_memory(container.name, container.oom)
    if container.overdue:
        return Outcome(TaskState.FAILED, MAX_COMPLETION, f"{name} was killed because {container.stop_message}")
    if container.stop_message:
        message = f"{name} was stopped because {container.stop_message}"
        health = container.verdicts.get(Kind.HEALTH)
        unhealthy = health is not None and health.fatal
        return Outcome(TaskState.KILLED if unhealthy else TaskState.FAILED, None, message)
    detail = f": {container.message}" if container.message else ""
    if container.exit_code == 0:
        return Outcome(TaskState.FINISHED, None, f"{name} {describe_exit(0)}{detail}")
    memory = children_killed(container.oom_kills)
    return Outcome(TaskState.FAILED, None, f"{name} {describe_exit(container.exit_code or 0)}{detail}{memory}")


def of_pod(main: Sequence[Container]) -> Outcome:
    """The outcome of a pod whose main containers have all ended: the first failure, else the pod is finished."""
    ends = [of_container(container) for container in main]
    failures = [end for end in ends if end.state is not TaskState.FINISHED]
    if failures:
        return failures[0]
    return ends[0] if len(ends) == 1 else Outcome(TaskState.FINISHED, None, "every container exited with 0")
