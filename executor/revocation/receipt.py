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
    EXITED = "exited"  # by itself, within its grace
    KILLED = "killed"
    STUCK = "stuck"  # still alive when the receipt was written
    SPARED = "spared"  # a dry run


@dataclass(frozen=True)
class Victim:
    pod: PodId
    tasks: tuple[TaskId, ...]
    outcome: Outcome
    ms: float
    """From the request to its last process's end."""
    pids: tuple[int, ...] = ()
    """Those still alive, of a stuck one."""


@dataclass(frozen=True)
class Step:
    step: str
    ms: float
    """Since the request was taken."""
    effect: str


@dataclass(frozen=True)
class Receipt:
    id: RevocationId
    reason: str
    state: str
    """running, done, stuck, dry-run or refused."""
    victims: tuple[Victim, ...] = ()
    freed_cpus: float = 0.0
    freed_mem_bytes: int = 0
    """Memory in use in the victims' cgroups before, less what is in use there after."""
    time_to_free_ms: float = 0.0
    regular: Comparison | None = None
    steps: tuple[Step, ...] = field(default=())
    error: str = ""

    def document(self) -> dict[str, Any]:
        """The JSON form, which frameworks and tools rely on."""
        document: dict[str, Any] = {
            "id": self.id,
            "reason": self.reason,
            "state": self.state,
            "victims": [_victim(victim) for victim in self.victims],
            "freed": {"cpus": round(self.freed_cpus, 3), "mem_bytes": self.freed_mem_bytes},
            "time_to_free_ms": round(self.time_to_free_ms, 1),
            "steps": [{"step": step.step, "ms": round(step.ms, 1), "effect": step.effect} for step in self.steps],
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
        "ms": round(victim.ms, 1),
    }
    if victim.pids:
        document["pids"] = list(victim.pids)
    return document
