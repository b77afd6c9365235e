"""Which pods a request takes. Pure: the same request and candidates always give the same victims.

A regular pod is never selected. Naming one is refused as a whole, because the request believes something false
about the node.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from executor.errors import NotFound, Refused
from executor.names import PodClass, PodId, Role, TaskId
from executor.revocation.request import Reclaim, Request, Select


@dataclass(frozen=True)
class Candidate:
    """What selection needs to know of one living pod."""

    pod: PodId
    tasks: tuple[TaskId, ...]
    pod_class: PodClass
    role: Role
    labels: tuple[tuple[str, str], ...] = ()
    cpus: float = 0.0
    mem_bytes: int = 0
    priority: int = 0
    """Kubernetes' priority; the lowest goes first."""
    lost_work_s: float = 0.0
    """Seconds of work that ending it would throw away; compared by the minute."""
    overshoot: float = 0.0
    """Use of memory beyond what was requested, as a fraction of the request."""
    ending: bool = False
    """Its end was asked for: what it holds comes free anyway, and was perhaps promised to another request."""


def select(
    request: Request, candidates: Sequence[Candidate], ended: Collection[TaskId] = (), coming: Collection[TaskId] = ()
) -> tuple[Candidate, ...]:
    """The victims, in the order in which they are taken.

    Raises Refused when the request names a regular pod's task, NotFound when it names a task that was never here, or
    only such as have `ended`, and Refused when a reclaim asks for more than all revocable pods hold. One that ended a
    moment before, among others that live, is not a mistake: the client cannot know that yet; nor is one that is
    `coming`: it is taken once it is here.
    """
    revocable = [candidate for candidate in candidates if candidate.pod_class is PodClass.REVOCABLE]
    if isinstance(request.want, Reclaim):
        return _least(request.want, revocable)
    if request.want.tasks:
        _check_tasks(request.want.tasks, candidates, ended, coming)
    return tuple(candidate for candidate in revocable if matches(request.want, candidate))


def matches(want: Select, candidate: Candidate) -> bool:
    """Whether a selection means the pod."""
    if want.everything:
        return True
    if want.roles:
        return any(within(candidate.role, role) for role in want.roles)
    if want.tasks:
        return any(task in want.task_set for task in candidate.tasks)
    return want.label_set <= set(candidate.labels)


def within(role: Role, top: Role) -> bool:
    """Whether `role` is `top` or below it: `eng/dev` is within `eng`, `engine` is not; `*` is only itself."""
    return role == top or (top != "*" and role.startswith(f"{top}/"))


def _check_tasks(
    tasks: Sequence[TaskId], candidates: Sequence[Candidate], ended: Collection[TaskId], coming: Collection[TaskId]
) -> None:
    known = {task: candidate for candidate in candidates for task in candidate.tasks}
    live = any(task in known for task in tasks)
    for task in tasks:
        candidate = known.get(task)
        if candidate is None and (task in coming or (live and task in ended)):
            continue
        if candidate is None:
            raise NotFound(
                "no such task runs in this executor",
                subject=f"task {task}",
                hint="mesos-pod-executor ps lists what runs, mesos-pod-executor why TASK tells how one ended",
            )
        if candidate.pod_class is not PodClass.REVOCABLE:
            raise Refused(
                "is regular: its resources were not borrowed",
                subject=f"task {task}",
                hint="kill it through its scheduler instead",
            )


def _rank(candidate: Candidate) -> tuple[bool, int, float, float, PodId]:
    minutes = candidate.lost_work_s // 60
    return not candidate.ending, candidate.priority, minutes, -candidate.overshoot, candidate.pod


def _least(want: Reclaim, revocable: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """In rank order until enough is free, then without those that the later ones made superfluous, the last-ranked
    spared first.

    Pods that end already count only where the others do not suffice: then it hastens them, before it takes others.
    """
    others = [candidate for candidate in revocable if not candidate.ending]
    if _enough(want, others):
        revocable = others
    chosen: list[Candidate] = []
    for candidate in sorted(revocable, key=_rank):
        if _enough(want, chosen):
            break
        if (want.cpus > 0 and candidate.cpus > 0) or (want.mem_bytes > 0 and candidate.mem_bytes > 0):
            chosen.append(candidate)
    if not _enough(want, chosen):
        memory = f"{sum(c.mem_bytes for c in revocable) / (1 << 20):g} MiB of memory"
        have = f"{sum(c.cpus for c in revocable):g} cpus and {memory}"
        raise Refused(
            f"all revocable pods together hold {have}, which is less than asked",
            subject="revoke.reclaim",
            hint="ask for no more than that, or select all",
        )
    for candidate in reversed(chosen.copy()):
        rest = [other for other in chosen if other is not candidate]
        if _enough(want, rest):
            chosen = rest
    return tuple(chosen)


def _enough(want: Reclaim, chosen: Sequence[Candidate]) -> bool:
    slack = 1e-9  # sums of cpus are binary fractions
    return sum(c.cpus for c in chosen) + slack >= want.cpus and sum(c.mem_bytes for c in chosen) >= want.mem_bytes
