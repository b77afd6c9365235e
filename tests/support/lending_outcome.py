"""What a simulation of lending adds up to. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.support.lending_clusters import HOUR_S


@dataclass
class Outcome:
    """Sums over nodes, in core seconds or counts."""

    core_s: float = 0.0
    owner_used_s: float = 0.0
    lent_s: float = 0.0
    lost_s: float = 0.0
    squeezed_s: float = 0.0
    """What the owner wanted to use and pods had, until they had returned: with by_use only."""
    launches: int = 0
    returns: int = 0
    """Launches of the owner for which pods were ended."""
    evictions: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    """How many returns ended so many pods."""

    def plus(self, other: Outcome) -> Outcome:
        """The sum."""
        return Outcome(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def row(self) -> dict[str, float]:
        """What a table shows."""
        useful_s = self.lent_s - self.lost_s
        return {
            "used_before": self.owner_used_s / self.core_s,
            "used_after": (self.owner_used_s + self.lent_s - self.squeezed_s) / self.core_s,
            "useful_gain": useful_s / self.core_s,
            "lost_share": self.lost_s / self.lent_s if self.lent_s else 0.0,
            "evictions_per_core_hour": self.evictions / (self.lent_s / HOUR_S) if self.lent_s else 0.0,
            "launches_with_return": self.returns / self.launches if self.launches else 0.0,
            "owner_squeezed": self.squeezed_s / self.owner_used_s if self.owner_used_s else 0.0,
            "ended_at_once_p50": self._ended_at_once(0.5),
            "ended_at_once_p99": self._ended_at_once(0.99),
        }

    def _ended_at_once(self, share: float) -> int:
        """How many pods a return ends, at most, in this share of the returns: what its latency depends on."""
        found = sorted(self.ended.elements())
        return found[min(len(found) - 1, int(share * len(found)))] if found else 0
