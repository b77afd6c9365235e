"""What selection needs to know of the pods that live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from executor.names import PodClass
from executor.revocation.lost_work import lost_work_s
from executor.revocation.request import Reclaim
from executor.revocation.selection import Candidate, matches
from executor.spec.peak import peak

if TYPE_CHECKING:
    from executor.revocation.pod import Pod
    from executor.revocation.request import Request
    from executor.spec.model import PodSpec


def candidates(request: Request, living: Iterable[Pod]) -> list[Candidate]:
    """One for each pod. What only an amount is ranked by is measured only then: a file for each pod."""
    return [_candidate(pod, measured=isinstance(request.want, Reclaim)) for pod in living]


def revocable(living: Iterable[Pod]) -> list[Candidate]:
    """One for each revocable pod, with everything that an amount is ranked by."""
    return [_candidate(pod, measured=True) for pod in living if pod.spec.pod_class is PodClass.REVOCABLE]


def takes(request: Request, pod: Pod) -> bool:
    """Whether a pod that came after the request is among what it names. What a reclaim takes was settled before."""
    if isinstance(request.want, Reclaim) or pod.spec.pod_class is not PodClass.REVOCABLE:
        return False
    return matches(request.want, _candidate(pod, measured=False))


def _candidate(pod: Pod, *, measured: bool) -> Candidate:
    spec = pod.spec
    return Candidate(
        pod=pod.id,
        tasks=spec.task_ids,
        pod_class=spec.pod_class,
        role=spec.role,
        labels=tuple(sorted(spec.labels.items())),
        priority=spec.priority,
        cpus=spec.resources.cpus,
        mem_bytes=spec.resources.mem_bytes,
        lost_work_s=lost_work_s(pod) if measured else pod.age_s,
        overshoot=_overshoot(spec, pod.measure()) if measured else 0.0,
        ending=pod.is_stopping,
    )


def _overshoot(spec: PodSpec, used_bytes: int) -> float:
    """What containers request together, else what the tasks hold, is what a pod was to use."""
    asked = peak(spec.containers, lambda each: each.requests.memory_bytes, 0)
    everyone_asks = all(each.requests.memory_bytes for each in spec.containers)
    requested_bytes = asked if everyone_asks else spec.resources.mem_bytes
    return max(0.0, used_bytes / requested_bytes - 1) if requested_bytes else 0.0
