"""Proof that a revocation spares every regular pod: where the victims lie, and what ran before and after.

Nothing here waits for a process: what would, as a look at a PID namespace, is asked for last (process_owners.py).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cgroups import process_status
from executor.errors import Refused
from executor.names import PodClass, PodId
from executor.revocation.comparison import Comparison, PodProcesses, Process, compare
from executor.revocation.process_owners import ProcessOwners

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.revocation.pod import Pod


EXIT_REPORT_S = 2.0
"""How long the end of a regular container is waited for until containerd reports it: 10 ms as a rule, a second for an
unexplained SIGKILL.
"""
_AGAIN_S = 0.01


def prove(victims: Sequence[Pod], living: Collection[Pod], tree: Tree) -> dict[PodId, PodProcesses]:
    """Look at the cgroups as they are, and at whose processes are there. `living` are all pods that live, of both
    classes. Returns what the regular pods run. Raises Refused, CgroupError.
    """
    revocable = tree.subtree(PodClass.REVOCABLE)
    below = [pod for _, pod in tree.walk(PodClass.REVOCABLE)]
    regular = [pod for pod in living if pod.spec.pod_class is PodClass.REGULAR]
    check_placement({pod.id: pod.spec.pod_class for pod in victims}, below, (each.id for each in regular))
    first = {pod.id: {*pod.first_pids(), *pod.started_pids()} for pod in living}
    keepers = {keeper: pod.id for pod in living if (keeper := pod.keeper_pid()) is not None}
    check_processes(revocable.reached(), owners_of(first, keepers), {pod.id for pod in regular})
    return photographs(regular)


def owners_of(first: Mapping[PodId, Collection[int]], keepers: Mapping[int, PodId]) -> ProcessOwners:
    """`first`: the first processes of the containers of each living pod. `keepers`: those of PID namespaces that the
    containers of a pod share.
    """
    shared = {pid_namespace(1) or "", pid_namespace(os.getpid()) or ""}
    return ProcessOwners(first, keepers=keepers, shared=shared, namespace_of=pid_namespace, parent_of=parent)


def check_processes(reached: Iterable[int], owners: ProcessOwners, regular: Collection[PodId]) -> None:
    """No process that a kill of the revocable subtree reaches is a regular pod's. Raises Refused."""
    for pid in reached:
        owner = owners.owner(pid)
        if owner is not None and owner in regular:
            raise Refused(
                f"is regular but its process {pid} is in the revocable subtree, so nothing there is killed",
                subject=str(owner),
                hint="move it back into the pod's own cgroup: `mesos-pod-executor inspect` names it",
            )


def check_placement(
    victims: Mapping[PodId, PodClass], below_revocable: Iterable[str], regular: Iterable[PodId]
) -> None:
    """The blast radius, before anything is touched: every victim is a revocable pod whose cgroup lies in the
    revocable subtree, and no regular pod's cgroup lies there. Raises Refused.
    """
    present = set(below_revocable)
    for pod, pod_class in victims.items():
        if pod_class is not PodClass.REVOCABLE:
            raise Refused("is regular, and a revocation selects revocable pods only", subject=str(pod))
    for pod in regular:
        if pod in present:
            raise Refused(
                "is regular but its cgroup lies in the revocable subtree, so nothing there is killed",
                subject=str(pod),
                hint="look at `mesos-pod-executor inspect` and end the pods singly through their scheduler",
            )


def photographs(regular: Iterable[Pod]) -> dict[PodId, PodProcesses]:
    """The processes of these pods now."""
    return {pod.id: photograph(pod.id, pod.first_pids(), pod.cgroup.listed()) for pod in regular}


async def compared(before: Mapping[PodId, PodProcesses], regular: Sequence[Pod]) -> Comparison:
    """What ran `before` and what runs now. How a process ended is known once containerd has reported it: where one is
    missing whose end is not reported yet, the report is waited for, EXIT_REPORT_S at most.
    """
    after = photographs(regular)
    deadline = time.monotonic() + EXIT_REPORT_S
    while True:
        found = compare(before, after, excused(before, regular))
        unreported = {pid for pod in regular for pid in pod.first_pids()} & set(found.lost)
        if not unreported or time.monotonic() > deadline:
            return found
        await asyncio.sleep(_AGAIN_S)


def excused(before: Mapping[PodId, PodProcesses], regular: Iterable[Pod]) -> set[int]:
    """The first processes whose end has another cause: the pod's end was asked for, or they ended by themselves and may
    be restarted.
    """
    pids: set[int] = set()
    for pod in regular:
        asked = before[pod.id].first if pod.is_stopping else ()
        pids |= pod.ended_pids | {process.pid for process in asked}
    return pids


def photograph(pod: PodId, first: Iterable[int], everything: Iterable[int]) -> PodProcesses:
    """The processes of one pod now."""
    heads = processes(first)
    return PodProcesses(pod, heads, processes(everything) - heads)


def processes(pids: Iterable[int]) -> frozenset[Process]:
    """These processes; one that ended meanwhile is left out."""
    found = {pid: process_status.identity(pid) for pid in pids}
    return frozenset(Process(pid, identity) for pid, identity in found.items() if identity is not None)


def parent(pid: int) -> int | None:
    """None if the process has ended, 0 if its parent cannot be seen from here."""
    status = process_status.read(pid)
    return None if status is None else process_status.parent(status)


def pid_namespace(pid: int) -> str | None:
    """As the kernel names it (proc_pid_ns(5)). None if the process has ended, or may not be looked at."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115 a Path takes as long again
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
