"""Whether others occupy the machine: then ratios of times say little, and targets are not judged.

A fixed loop runs on every processor at the same time, again and again. A loop that had its processor for itself has
used as much CPU time as time has passed. The samples are taken before and after the benchmarks, and each turn's
neighbours are compared anyway; so this finds a machine on which even neighbours differ.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence

SAMPLES = 20
LOOPS = 400_000
"""Some 20 ms of CPU time."""
ENOUGH = 0.85
"""The share of a processor that a loop must get, as the median of all samples."""


def measure() -> list[float]:
    """The share of its processor that each loop got, 0 to 1."""
    context = multiprocessing.get_context("spawn")
    processors = sorted(os.sched_getaffinity(0))
    with context.Pool(len(processors)) as pool:
        return [share for shares in pool.map(_shares, processors, chunksize=1) for share in shares]


def _shares(processor: int) -> list[float]:
    os.sched_setaffinity(0, {processor})
    return [_share() for _ in range(SAMPLES)]


def _share() -> float:
    begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
    for _ in range(LOOPS):
        pass
    return min(1.0, (time.thread_time() - begin_cpu_s) / (time.perf_counter() - begin_s))


def verdict(before: Sequence[float], after: Sequence[float]) -> str:
    """Why the machine is too noisy to judge; empty if it is not."""
    worst = min(statistics.median(before), statistics.median(after))
    if worst >= ENOUGH:
        return ""
    return f"the machine is too noisy: a loop got {worst:.0%} of its processor, less than {ENOUGH:.0%}"
