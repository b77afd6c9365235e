"""What happened between two readings of the node's counters. Pure.

*Protected* are the cgroups whose waiting counts: the regular pods of all executors of
the node, and those that the configuration adds.
*The rest* is everything but this executor's revocable pods, whether protected or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Counters since the node's or the group's beginning; groups by path, those that are gone left out."""

    at_s: float
    busy_s: float
    """CPU time that was not idle, all CPUs together."""
    revocable_s: float
    """CPU time of this executor's revocable pods."""
    revocable_stall_s: float = 0.0
    """In which at least one of their tasks waited for a CPU."""
    protected_s: Mapping[str, float] = field(default_factory=dict)
    cpu_stalls_s: Mapping[str, float] = field(default_factory=dict)
    """In which at least one task of a protected group waited for a CPU."""
    memory_stalls_s: Mapping[str, float] = field(default_factory=dict)
    node_memory_stall_s: float = 0.0
    """In which all tasks of the node that were not idle waited for memory."""
    available_bytes: int = 0
    total_bytes: int = 0
    revocable_bytes: int = 0


@dataclass(frozen=True)
class Borrowed:
    """This executor's revocable pods. `victims` counts those whose end was not asked for yet; the sums are theirs."""

    pods: int = 0
    victims: int = 0
    cpus: float = 0.0
    mem_bytes: int = 0
    revoking: bool = False
    """A revocation for pressure is under way."""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Rates in cores, stalls in per cent of the time between the two looks."""

    at_s: float
    capacity_cpus: float
    rest_cpus: float = 0.0
    protected_cpus: float = 0.0
    revocable_cpus: float = 0.0
    cpu_stall_percent: float = 0.0
    """The stall of the protected group that waited longest."""
    memory_stall_percent: float = 0.0
    """The same, or the node's where that is more."""
    revocable_stall_percent: float = 0.0
    """In which revocable pods waited for a CPU."""
    available_bytes: int = 0
    total_bytes: int = 0
    revocable_bytes: int = 0
    borrowed: Borrowed = Borrowed()


def between(before: Sample, after: Sample, *, capacity_cpus: float, borrowed: Borrowed) -> Readings:
    """`after` is the later one; a group that is in one of them only counts for nothing."""
    span_s = max(after.at_s - before.at_s, 1e-3)
    revocable_cpus = _rate(before.revocable_s, after.revocable_s, span_s)
    busy_cpus = _rate(before.busy_s, after.busy_s, span_s)
    memory = [*_rates(before.memory_stalls_s, after.memory_stalls_s, span_s)]
    memory.append(_rate(before.node_memory_stall_s, after.node_memory_stall_s, span_s))
    return Readings(
        at_s=after.at_s,
        capacity_cpus=capacity_cpus,
        rest_cpus=max(0.0, busy_cpus - revocable_cpus),
        protected_cpus=sum(_rates(before.protected_s, after.protected_s, span_s)),
        revocable_cpus=revocable_cpus,
        cpu_stall_percent=_percent(max(_rates(before.cpu_stalls_s, after.cpu_stalls_s, span_s), default=0.0)),
        memory_stall_percent=_percent(max(memory)),
        revocable_stall_percent=_percent(_rate(before.revocable_stall_s, after.revocable_stall_s, span_s)),
        available_bytes=after.available_bytes,
        total_bytes=after.total_bytes,
        revocable_bytes=after.revocable_bytes,
        borrowed=borrowed,
    )


def _rate(before: float, after: float, span_s: float) -> float:
    return max(0.0, after - before) / span_s


def _rates(before: Mapping[str, float], after: Mapping[str, float], span_s: float) -> list[float]:
    return [_rate(before[key], after[key], span_s) for key in after.keys() & before.keys()]


def _percent(fraction: float) -> float:
    return min(100.0, 100.0 * fraction)
