"""Which logs of ended pods are removed: by count, age and free space. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kept:
    """The logs of one ended pod; `ended_s` on any clock."""

    pod: str
    ended_s: float
    size_bytes: int


@dataclass(frozen=True)
class RetentionSection:
    """How long the logs of ended pods are kept; those that ended first go first."""

    most_pods: int = field(
        default=100, metadata={"doc": "The logs of how many ended pods are kept.", "least": 0, "most": 100000}
    )
    age_s: float = field(
        default=86400.0,
        metadata={"doc": "How long they are kept, seconds; 0: no limit.", "least": 0, "most": 31536000},
    )
    free_percent: float = field(
        default=10.0,
        metadata={
            "doc": "They are removed while less than this part of the file system is free; 0: no limit.",
            "least": 0,
            "most": 99,
        },
    )
    least_pods: int = field(
        default=10,
        metadata={
            "doc": "So many pods that ended last keep theirs, whatever their age and the free space.",
            "least": 0,
            "most": 100000,
        },
    )


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
