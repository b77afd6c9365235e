"""Proof that a revocation spared every regular pod: their processes before and after, by pid and start time.

A pid alone proves nothing (it may be used again), so a process is its pid and its start time, as psutil reads it from
/proc/<pid>/stat. A regular pod may end processes of its own meanwhile; what must be the same is each container's first
process, and every other process that went is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from executor.errors import Refused
from executor.names import PodClass, PodId


class Process(NamedTuple):
    pid: int
    started: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class PodProcesses:
    """One regular pod: `first` are its containers' first processes, `others` all the rest."""

    pod: PodId
    first: frozenset[Process]
    others: frozenset[Process]


@dataclass(frozen=True)
class Comparison:
    pods: int
    processes: int
    changed: tuple[str, ...]
    """One text for each pod that lost the first process of a container."""
    ended: tuple[int, ...]
    """Other processes of regular pods that ended meanwhile, by themselves or not."""

    @property
    def unchanged(self) -> bool:
        return not self.changed


def processes(pids: Iterable[int]) -> frozenset[Process]:
    """These pids with their start times; one that ended meanwhile is left out."""
    found = set()
    for pid in pids:
        try:
            found.add(Process(pid, psutil.Process(pid).create_time()))
        except psutil.NoSuchProcess:
            continue
    return frozenset(found)


def photograph(pod: PodId, first: Iterable[int], everything: Iterable[int]) -> PodProcesses:
    """The processes of one pod now."""
    heads = processes(first)
    return PodProcesses(pod, heads, processes(everything) - heads)


def compare(before: Mapping[PodId, PodProcesses], after: Mapping[PodId, PodProcesses]) -> Comparison:
    """What of `before` is missing in `after`. Pure."""
    changed: list[str] = []
    ended: list[int] = []
    for pod, old in before.items():
        new = after.get(pod, PodProcesses(pod, frozenset(), frozenset()))
        alive = new.first | new.others
        if lost := old.first - alive:
            changed.append(f"{pod} lost {', '.join(str(process.pid) for process in sorted(lost))}")
        ended.extend(process.pid for process in old.others - alive)
    count = sum(len(old.first) + len(old.others) for old in before.values())
    return Comparison(len(before), count, tuple(sorted(changed)), tuple(sorted(ended)))


def check_placement(
    victims: Mapping[PodId, PodClass], below_revocable: Iterable[str], regular: Iterable[PodId]
) -> None:
    """The blast radius, before anything is touched: every victim is a revocable pod whose cgroup lies in the
    revocable subtree, and no regular pod's cgroup lies there. Raises Refused. Pure.
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
