"""What came of a simulation, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """`digest` is of everything that happened, in its order: the same for the same seed."""

    machines: int
    hours: float
    tasks: int
    ends: Mapping[str, int]
    counts: Mapping[str, int]
    updates: int
    digest: str

    @property
    def events(self) -> int:
        return self.counts["events"]

    @property
    def faults(self) -> int:
        """The number of faults, of every kind."""
        kinds = (
            *(
                "machine:",
                "rack:",
                "executor:",
                "agent:",
                "connection:",
                "containerd:",
                "call: late",
                "pull:",
                "create:",
            ),
            *("start:", "network:", "release", "shim:", "exit:", "process:", "kill:", "update:"),
        )
        return sum(count for name, count in self.counts.items() if name.startswith(kinds))

    def __str__(self) -> str:
        lines = [f"{self.machines} machines, {self.hours:g} hours each: {self.machines * self.hours:g} machine-hours"]
        lines.append(f"{self.tasks} tasks, {self.events} events of pods, {self.updates} updates, {self.faults} faults")
        lines += [f"    {name}: {count}" for name, count in sorted(self.ends.items())]
        lines += [f"    {name}: {count}" for name, count in sorted(self.counts.items())]
        return "\n".join([*lines, f"digest {self.digest}"])
