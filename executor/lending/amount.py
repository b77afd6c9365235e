"""An amount of cpus and memory, in whole units, so that sums are exact. Pure.

Mesos counts cpus to three digits and memory in MiB (src/common/values.cpp, "fixed point"). What is offered is rounded
down and what is held is rounded up: an odd fraction is never offered twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Amount:
    """Never negative."""

    millicpus: int = 0
    mem_mib: int = 0

    @classmethod
    def offered(cls, cpus: float, mem_mib: float) -> Amount:
        """What is there to give: rounded down."""
        return cls(max(0, math.floor(round(cpus * 1000, 3))), max(0, math.floor(round(mem_mib, 3))))

    @classmethod
    def held(cls, cpus: float, mem_mib: float) -> Amount:
        """What is in use: rounded up."""
        return cls(max(0, math.ceil(round(cpus * 1000, 3))), max(0, math.ceil(round(mem_mib, 3))))

    @property
    def cpus(self) -> float:
        """In cores."""
        return self.millicpus / 1000

    @property
    def mem_bytes(self) -> int:
        """In bytes."""
        return self.mem_mib * MIB

    def __bool__(self) -> bool:
        return self.millicpus > 0 or self.mem_mib > 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.millicpus + other.millicpus, self.mem_mib + other.mem_mib)

    def beyond(self, other: Amount) -> Amount:
        """What this has more than `other`, of each resource; 0 where it has less."""
        return Amount(max(0, self.millicpus - other.millicpus), max(0, self.mem_mib - other.mem_mib))

    def least(self, other: Amount) -> Amount:
        """The smaller of both, of each resource."""
        return Amount(min(self.millicpus, other.millicpus), min(self.mem_mib, other.mem_mib))

    def covers(self, other: Amount) -> bool:
        """Whether `other` fits into it."""
        return self.millicpus >= other.millicpus and self.mem_mib >= other.mem_mib

    def document(self) -> dict[str, float | int]:
        """For JSON: cores and bytes."""
        return {"cpus": self.cpus, "mem_bytes": self.mem_bytes}

    def __str__(self) -> str:
        return f"{self.cpus:g} cpus, {self.mem_mib} MiB"


NOTHING: Final = Amount()


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum."""
    return sum(amounts, NOTHING)
