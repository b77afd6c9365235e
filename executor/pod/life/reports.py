"""The reports about the tasks of a pod; its life cycle decides when one is due. Pure.

A function that returns a pod has noted in it what is reported.
"""

from __future__ import annotations

from dataclasses import replace

from executor.mesos.status import TaskState
from executor.names import TaskId
from executor.pod.exits import causes
from executor.pod.life import health
from executor.pod.life.effects import Report
from executor.pod.life.events import ContainerEvent, Probed
from executor.pod.life.model import Container, Outcome, Phase, Pod
from executor.spec.probes import Kind


def open_tasks(pod: Pod) -> tuple[TaskId, ...]:
    """The tasks whose end is not reported yet."""
    return tuple(task for task in pod.spec.task_ids if task not in pod.reported)


def running(pod: Pod) -> list[Report]:
    """The tasks run: one report for all with the same content."""
    found: list[Report] = []
    for task in open_tasks(pod):
        report = Report((task,), TaskState.RUNNING, healthy=pod.healthy.get(task))
        report = replace(report, check_status=health.check_status(pod, task))
        if found and replace(found[-1], tasks=(task,)) == report:
            report = replace(report, tasks=(*found.pop().tasks, task))
        found.append(report)
    return found


def health_changes(pod: Pod, event: ContainerEvent) -> tuple[Pod, tuple[Report, ...]]:
    """The tasks whose health has changed, and what a check has found."""
    found: list[Report] = []
    now = health.of_pod(pod)
    for task in open_tasks(pod):
        reason = health.HEALTH_UPDATED if now[task] != pod.healthy.get(task) else None
        if isinstance(event, Probed) and event.verdict.kind is Kind.CHECK:
            reason = health.CHECK_UPDATED if pod.containers[event.container].spec.task_id == task else reason
        if reason is not None:
            message = health.message(pod, task)
            report = Report((task,), TaskState.RUNNING, reason, message, healthy=now[task])
            found.append(replace(report, check_status=health.check_status(pod, task)))
    return replace(pod, healthy=now), tuple(found)


def unhealthy(pod: Pod, before: Container) -> tuple[Report, ...]:
    """The task whose failing health check has just ended its container is being killed."""
    after = pod.containers[before.name]
    verdict = after.verdicts.get(Kind.HEALTH)
    if before.phase is after.phase or after.phase is not Phase.STOPPING or verdict is None or not verdict.fatal:
        return ()
    return (Report((after.spec.task_id,), TaskState.KILLING, message=after.stop_message),)


def killing(pod: Pod, message: str) -> Report:
    """The tasks are being ended, for this reason."""
    revocation = None if pod.stop is None else pod.stop.revocation
    return Report(open_tasks(pod), TaskState.KILLING, message=message, revocation=revocation)


def final(pod: Pod) -> tuple[Pod, tuple[Report, ...]]:
    """How every task ends whose end is not reported yet."""
    outcome = pod.outcome or causes.of_pod(pod.main)
    found: list[Report] = []
    for task in open_tasks(pod):
        pod, report = of_task(pod, task, outcome)
        found.append(report)
    return pod, tuple(found)


def of_task(pod: Pod, task: TaskId, outcome: Outcome) -> tuple[Pod, Report]:
    """How one task ends."""
    report = Report((task,), outcome.state, outcome.reason, outcome.message, outcome.revocation, outcome.limit_bytes)
    report = replace(report, healthy=health.at_end(pod, task))
    return replace(pod, reported=pod.reported | {task}), report
