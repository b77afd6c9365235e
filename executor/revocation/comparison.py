"""Regular pods before and after a revocation, by their processes. Pure.

A pid alone proves nothing (it may be used again), so a process is its pid and a number that no other process with this
pid has. A regular pod may end processes of its own meanwhile; what must be the same is each container's first process,
and every other process that went is named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from executor.names import PodId


class Process(NamedTuple):
    pid: int
    identity: int
    """As of `cgroups.process_status.identity`."""


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
    """What was photographed before."""
    changed: tuple[str, ...]
    """One text for each pod that lost the first process of a container."""
    ended: tuple[int, ...]
    """Other processes of regular pods that ended meanwhile, and first ones that had a reason of their own."""
    lost: tuple[int, ...] = ()
    """The first processes behind `changed`."""

    @property
    def unchanged(self) -> bool:
        """Whether no regular pod lost the first process of a container."""
        return not self.changed


def compare(
    before: Mapping[PodId, PodProcesses], after: Mapping[PodId, PodProcesses], excused: Collection[int] = ()
) -> Comparison:
    """What of `before` is missing in `after`. The `excused` pids ended for a reason of their own."""
    changed: list[str] = []
    ended: list[int] = []
    unexplained: list[int] = []
    for pod, old in before.items():
        new = after.get(pod, PodProcesses(pod, frozenset(), frozenset()))
        alive = new.first | new.others
        lost = sorted(process.pid for process in old.first - alive)
        ended += [pid for pid in lost if pid in excused]
        if taken := [pid for pid in lost if pid not in excused]:
            changed.append(f"{pod} lost {', '.join(map(str, taken))}")
            unexplained += taken
        ended += [process.pid for process in old.others - alive]
    count = sum(len(old.first) + len(old.others) for old in before.values())
    return Comparison(len(before), count, tuple(sorted(changed)), tuple(sorted(ended)), tuple(unexplained))
