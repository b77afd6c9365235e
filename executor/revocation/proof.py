"""Proof that a revocation spares every regular pod: where the victims lie, and what ran before and after.

Start times are what psutil reads from /proc/<pid>/stat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import psutil

from cgroups import Membership
from executor.errors import Refused
from executor.names import PodClass, PodId
from executor.revocation.comparison import PodProcesses, Process

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.pod.runner import PodRunner


def prove(victims: Sequence[PodRunner], regular: Sequence[PodRunner], tree: Tree) -> None:
    """Look at the cgroups as they are, and at where the kernel has the processes. Raises Refused."""
    below = [pod for _, pod in tree.walk(PodClass.REVOCABLE)]
    check_placement({runner.id: runner.spec.pod_class for runner in victims}, below, (each.id for each in regular))
    for runner in regular:
        check_processes(runner.id, runner.containers.pids(), tree.subtree(PodClass.REVOCABLE).path)


def check_processes(pod: PodId, first: Iterable[int], revocable: str) -> None:
    """Nobody has moved a regular pod's containers to where a revocation kills. Raises Refused."""
    for pid in first:
        try:
            paths = Membership.of(pid).paths.values()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if any(f"{path}/".startswith(f"{revocable}/") for path in paths):
            raise Refused(
                f"is regular but its process {pid} is in the revocable subtree, so nothing there is killed",
                subject=str(pod),
                mend="move it back into the pod's own cgroup: `mesos-pod-executor inspect` names it",
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
            raise Refused("is regular and was selected all the same", subject=str(pod))
    for pod in regular:
        if pod in present:
            raise Refused(
                "is regular but its cgroup lies in the revocable subtree, so nothing there is killed",
                subject=str(pod),
                mend="look at `mesos-pod-executor inspect` and end the pods singly through their scheduler",
            )


def photographs(regular: Iterable[PodRunner]) -> dict[PodId, PodProcesses]:
    """The processes of these pods now."""
    return {
        runner.id: photograph(runner.id, runner.containers.pids(), runner.sandbox.cgroup.witnessed())
        for runner in regular
    }


def excused(before: Mapping[PodId, PodProcesses], regular: Iterable[PodRunner]) -> set[int]:
    """The first processes that had a reason of their own to end: somebody asked for the pod's end, or they ended by
    themselves, perhaps to be started anew.
    """
    pids: set[int] = set()
    for runner in regular:
        asked = before[runner.id].first if runner.pod.stop is not None else ()
        pids |= runner.pod.ended_pids | {process.pid for process in asked}
    return pids


def photograph(pod: PodId, first: Iterable[int], everything: Iterable[int]) -> PodProcesses:
    """The processes of one pod now."""
    heads = processes(first)
    return PodProcesses(pod, heads, processes(everything) - heads)


def processes(pids: Iterable[int]) -> frozenset[Process]:
    """These pids with their start times; one that ended meanwhile is left out."""
    found = set()
    for pid in pids:
        try:
            found.add(Process(pid, psutil.Process(pid).create_time()))
        except psutil.NoSuchProcess:
            continue
    return frozenset(found)
