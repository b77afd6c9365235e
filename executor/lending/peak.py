"""How many cpus an owner keeps of those that its tasks hold: its peak use, which decays, and a margin. Pure.

As in Borg's resource reclamation (Verma et al., 2015, 5.5): a new task counts with all that it holds, and the peak then
decays toward what is really used. Only cpus are counted so: a task that wants its cpus back gets them by a squeeze, and
memory that another pod has written to is not there at the first touch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peak:
    """`millicpus` were in use at `at_s`, or are what is left of an earlier peak."""

    held: int = 0
    millicpus: float = 0.0
    at_s: float = 0.0

    def sample(self, held: int, used: float, at_s: float, half_life_s: float) -> Peak:
        """After `used` of `held` thousandths of a cpu were measured. What came to `held` counts as used."""
        passed_s = max(0.0, at_s - self.at_s)
        decayed = used + max(0.0, self.millicpus - used) * 0.5 ** (passed_s / half_life_s)
        peak = min(held, decayed + max(0, held - self.held))
        return Peak(held, max(used, peak), max(at_s, self.at_s))

    def kept(self, margin_percent: float) -> int:
        """Thousandths of a cpu that stay with the owner, at most what it holds."""
        return min(self.held, math.ceil(self.millicpus * (1 + margin_percent / 100)))

    def spare(self, margin_percent: float) -> int:
        """Thousandths of a cpu that may be borrowed of what the owner's tasks hold."""
        return self.held - self.kept(margin_percent)
