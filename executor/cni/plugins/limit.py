"""How long the plugins of one release may take together, so that one that hangs does not hold up what waits. Pure."""

from __future__ import annotations

from collections.abc import Callable

FIRST_RELEASE_S = 10.0
"""For the first release of a pod, and to undo what failed. A DEL takes some 50 ms. What takes longer is killed, stays
on record, and is tried again with the full limit of each run.
"""
_LEAST_S = 0.5


class Limit:
    """`run_s` is for each run of a plugin; `total_s`, if any, for all `runs` together: each has its part of what is
    left, so that the last one has its turn as well.
    """

    def __init__(self, run_s: float, clock: Callable[[], float], total_s: float | None = None, runs: int = 1) -> None:
        self._run_s = run_s
        self._runs = runs
        self._clock = clock
        self._end_s = None if total_s is None else clock() + total_s

    @property
    def is_over(self) -> bool:
        """Whether the time of all runs together is used up."""
        return self._end_s is not None and self._clock() >= self._end_s

    def next_s(self) -> float:
        """For the next run."""
        if self._end_s is None:
            return self._run_s
        part_s = (self._end_s - self._clock()) / max(1, self._runs)
        self._runs -= 1
        return min(self._run_s, max(_LEAST_S, part_s))
