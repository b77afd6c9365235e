"""What a revocation did, as one document: for the framework's MESSAGE, the control socket, the log and the journal.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from executor.names import PodId, RevocationId, TaskId
from executor.revocation.comparison import Comparison


class Outcome(StrEnum):
    NOTIFIED = "notified"  # its grace runs
    DYING = "dying"  # the kill came, its end not yet
    EXITED = "exited"  # by itself, within its grace
    KILLED = "killed"
    STUCK = "stuck"  # alive long after the kill
    WOULD_END = "would-end"  # a dry run


class State(StrEnum):
    """The state of a revocation as a whole."""

    RUNNING = "running"
    DONE = "done"
    STUCK = "stuck"  # some victims do not die; the others are gone
    DRY_RUN = "dry-run"
    REFUSED = "refused"


@dataclass(frozen=True)
class Victim:
    """One pod. What it gave back was read from its cgroup after its last process had ended."""

    pod: PodId
    tasks: tuple[TaskId, ...]
    outcome: Outcome
    ms: float
    """Milliseconds from the request to the end of its last process; until now for one that lives."""
    notified: bool = False
    """Whether the notice was written before the first signal."""
    cpus: float = 0.0
    """CPUs that Mesos has accounted to it."""
    used_cpus: float = 0.0
    """CPUs that it used, on the average of its life."""
    mem_bytes: int = 0
    """Bytes charged to its cgroup when the request came, less `mem_kept_bytes`; of a dry run those charged now."""
    mem_kept_bytes: int = 0
    """Bytes charged to its cgroup when its last process had ended: files in memory, kernel objects, and the pages that
    the kernel charges in advance for each CPU (MEMCG_CHARGE_BATCH in include/linux/memcontrol.h). The latter go back
    when the cgroup is removed; the others stay charged to the class, until they are freed or memory is needed.
    """
    pids: tuple[int, ...] = ()
    """The processes of a stuck victim that still live."""


@dataclass(frozen=True)
class Step:
    step: str
    ms: float
    """Since the request was taken, at the step's end."""
    took_ms: float
    effect: str


@dataclass(frozen=True)
class Left:
    """What the revocable class still holds afterwards, by the kernel's account."""

    pods: int
    cpus: float
    mem_bytes: int


@dataclass(frozen=True)
class Receipt:
    id: RevocationId
    reason: str
    state: State
    victims: tuple[Victim, ...] = ()
    time_to_free_ms: float = 0.0
    """Milliseconds from the request to the end of the last process that ended."""
    left: Left | None = None
    regular: Comparison | None = None
    steps: tuple[Step, ...] = field(default=())
    error: str = ""

    @property
    def freed(self) -> tuple[Victim, ...]:
        """Those that gave back what they had; in a dry run those that would."""
        gone = (Outcome.EXITED, Outcome.KILLED, Outcome.WOULD_END)
        return tuple(victim for victim in self.victims if victim.outcome in gone)

    @property
    def freed_cpus(self) -> float:
        """CPUs, to three decimals, which is as exact as Mesos counts."""
        return round(sum(victim.cpus for victim in self.freed), 3)

    @property
    def freed_mem_bytes(self) -> int:
        """The sum over the victims that gave back what they had."""
        return sum(victim.mem_bytes for victim in self.freed)

    def document(self) -> dict[str, Any]:
        """The JSON form, which frameworks and tools rely on."""
        document: dict[str, Any] = {
            "id": self.id,
            "reason": self.reason,
            "state": self.state,
            "victims": [_victim(victim) for victim in self.victims],
            "freed": {
                "cpus": self.freed_cpus,
                "used_cpus": round(sum(victim.used_cpus for victim in self.freed), 3),
                "mem_bytes": self.freed_mem_bytes,
                "mem_kept_bytes": sum(victim.mem_kept_bytes for victim in self.freed),
            },
            "time_to_free_ms": round(self.time_to_free_ms, 1),
            "steps": [
                {"step": step.step, "ms": round(step.ms, 1), "took_ms": round(step.took_ms, 1), "effect": step.effect}
                for step in self.steps
            ],
        }
        if self.left is not None:
            document["left"] = {
                "pods": self.left.pods,
                "cpus": round(self.left.cpus, 3),
                "mem_bytes": self.left.mem_bytes,
            }
        if self.regular is not None:
            document["regular"] = {
                "pods": self.regular.pods,
                "processes": self.regular.processes,
                "unchanged": self.regular.unchanged,
                "changed": list(self.regular.changed),
                "ended_meanwhile": list(self.regular.ended),
            }
        if self.error:
            document["error"] = self.error
        return document


def _victim(victim: Victim) -> dict[str, Any]:
    document: dict[str, Any] = {
        "pod": victim.pod,
        "tasks": list(victim.tasks),
        "outcome": victim.outcome,
        "notified": victim.notified,
        "ms": round(victim.ms, 1),
        "cpus": round(victim.cpus, 3),
        "used_cpus": round(victim.used_cpus, 3),
        "mem_bytes": victim.mem_bytes,
        "mem_kept_bytes": victim.mem_kept_bytes,
    }
    if victim.pids:
        document["pids"] = list(victim.pids)
    return document
