"""How much of a changing surplus is offered: less at once, more slowly. Pure.

The offer is the least surplus of the last `after_s` seconds. So it shrinks with the sample that is smaller, and grows
only to what was there for the whole time: an owner whose tasks come and go each second is not followed up and down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from executor.lending.amount import NOTHING, Amount

SAMPLES_MAX: Final = 64
"""Steps of a growing surplus that are kept apart; of more, neighbours are taken together, the smaller amount later."""


@dataclass(frozen=True)
class Window:
    """`steps` are the amounts that may be offered, each until the time at which it ends (seconds); the last one, which
    has no end, is `now`. Times and amounts of each resource only grow from one step to the next.
    """

    now: Amount = NOTHING
    steps: tuple[tuple[float, Amount], ...] = ()

    @property
    def offer(self) -> Amount:
        """The least of the window."""
        return self.steps[0][1] if self.steps else self.now

    def sample(self, surplus: Amount, at_s: float, after_s: float) -> Window:
        """The window with a new surplus, seen at `at_s`. A time before an earlier sample's counts as that one's."""
        live = [(end, amount) for end, amount in self.steps if end > at_s]
        live.append((max(at_s + after_s, live[-1][0] if live else at_s), self.now))
        steps: list[tuple[float, Amount]] = []
        for end, amount in live:
            step = end, amount.least(surplus)
            if step[1] == surplus:
                break
            if steps and steps[-1][1] == step[1]:
                steps.pop()
            steps.append(step)
        return Window(surplus, _fewer(steps))


def _fewer(steps: list[tuple[float, Amount]]) -> tuple[tuple[float, Amount], ...]:
    """At most SAMPLES_MAX: the smaller of two neighbours then lasts as long as both."""
    while len(steps) > SAMPLES_MAX:
        steps = [(steps[n + 1][0] if n + 1 < len(steps) else steps[n][0], steps[n][1]) for n in range(0, len(steps), 2)]
    return tuple(steps)
