"""Which logs of ended pods are removed: by count, age and free space. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from executor.config.retention import RetentionSection


@dataclass(frozen=True)
class Kept:
    """The logs of one ended pod; `ended_s` on any clock."""

    pod: str
    ended_s: float
    size_bytes: int


@dataclass(frozen=True)
class Space:
    free_bytes: int
    total_bytes: int

    def lacks(self, percent: float, freed_bytes: int) -> bool:
        """Whether less than `percent` is free, once `freed_bytes` more are."""
        return self.free_bytes + freed_bytes < self.total_bytes * percent / 100


def to_remove(kept: Sequence[Kept], limits: RetentionSection, now_s: float, space: Space) -> Iterator[tuple[Kept, str]]:
    """From `kept`, the oldest first, those that go, with the limit that each of them met: count, age or space."""
    freed_bytes = 0
    for index, each in enumerate(kept):
        left = len(kept) - index
        if left > limits.most_pods:
            reason = "count"
        elif left <= limits.least_pods:
            return
        elif limits.age_s and now_s - each.ended_s > limits.age_s:
            reason = "age"
        elif space.lacks(limits.free_percent, freed_bytes):
            reason = "space"
        else:
            return
        freed_bytes += each.size_bytes
        yield each, reason
