"""When the disk that a pod uses is counted again. Pure.

Free space costs one call to look at. Only when as much has been written to the file systems, by any process, as a pod
may still write, that pod can be over its limit, and is counted. On a node where others write much, counting is bounded
by its own cost instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOOK_MIN_S: Final = 0.25
SLOW_S: Final = 120.0
"""A pod is counted this often in any case: others may remove while it writes. A young one more often."""
YOUNG_S: Final = 5.0
ROOM_PART: Final = 0.5
"""The part of a pod's room: once as much is written, it is counted."""
COST: Final = 40.0
"""Between two counts of a pod at least this many times what one costs in CPU, times the number of pods: all counts
together take at most 2.5 % of a core, and a pod that is expensive to count delays only itself.
"""
SLOW_COST: Final = 800.0
"""The same for counts that are only due by time: 0.125 %."""
GROWING_PART: Final = 0.01


@dataclass(frozen=True)
class Seen:
    """The last count of a pod: when (monotonic), what was written on the file systems until then, its cost in CPU time,
    its room (None: no limit), whether it had grown, and how often it had been counted before.
    """

    at_s: float
    written_bytes: int
    cost_s: float
    room_bytes: int | None
    growing: bool = False
    times: int = 0


def due(seen: Seen | None, now_s: float, written_bytes: int, pods: int) -> bool:
    """Whether the pod is to be counted now. `pods`: how many there are."""
    if seen is None:
        return True
    age_s, written = now_s - seen.at_s, written_bytes - seen.written_bytes
    if written <= 0:
        return age_s >= 10 * SLOW_S
    slow_s = min(SLOW_S, YOUNG_S * 2 ** min(seen.times, 10))
    if age_s >= max(slow_s, SLOW_COST * seen.cost_s * pods):
        return True
    if seen.room_bytes is None or written < ROOM_PART * seen.room_bytes:
        return False
    return age_s >= (max(LOOK_MIN_S, COST * seen.cost_s) if seen.growing else pause_s(seen, pods))


def pause_s(seen: Seen, pods: int) -> float:
    """The least time between two counts of a pod that does not grow."""
    return max(LOOK_MIN_S, COST * seen.cost_s * pods)


def grows(before_bytes: int, now_bytes: int, room_bytes: int | None) -> bool:
    """Whether a pod writes so much that its room is soon used."""
    return room_bytes is not None and now_bytes - before_bytes > GROWING_PART * room_bytes


def next_look_s(room_bytes: int | None, written_per_s: float, interval_s: float) -> float:
    """Seconds until free space is looked at again: a quarter of the time in which the least room could be used."""
    if room_bytes is None or written_per_s <= 0:
        return interval_s
    return min(interval_s, max(LOOK_MIN_S, room_bytes / written_per_s / 4))
