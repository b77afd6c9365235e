"""What is done about pressure on the node: squeeze the revocable pods, revoke if that is not enough, and let go. Pure.

    calm ──pressed──▶ squeezing ──in spite of it, for revoke_after_s──▶ revoking ──done──▶ squeezing
      ▲                 │    ▲
      └─for cool_down_s─ cooling ──pressed again
                   (squeezing goes to cooling when it is clear; without a revocable pod everything goes to calm)

CPU is pressed when protected tasks wait for it and the node has no idle CPU; a wait for their own limit does not
count. The quota of the revocable pods is then what the rest leaves, less a reserve. It is computed each second: it
falls at once and rises step by step. CPU is clear when protected tasks do not wait, and either the quota limits no pod
or the protected demand has fallen. Memory is pressed when less than the reserve is available, or when tasks wait for it
while it is scarce. Between pressed and clear lies a gap (release_percent), and a squeeze lasts cool_down_s at least
after it is clear, so that the same pods are never squeezed twice within that time.

CPU is revoked when the squeezed pods starve: elsewhere they could work. Both amounts are the least that help.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from executor.revocation.readings import Readings

_STEP = 0.1
"""How much a quota rises between two readings, as a fraction of the node's CPUs."""
_BINDS = 0.85
"""The fraction of the quota above which the quota limits its pods."""
_BINDS_STALL_PERCENT = 50.0
"""Pods that wait for a CPU longer than this are limited too, by the quota or by the weight of the class."""
_LEAST_MEMORY = 0.1
"""The fraction of what the pods hold, or use, below which they are not squeezed but revoked."""
_WORTH = 0.05
"""The fraction of the missing memory: pods that use less are not ended for it."""
_LOOK_RATE = 1 << 30
"""Bytes a second: how fast memory is expected to go at most."""
_LOOK_MOST_S = 60.0


class Phase(StrEnum):
    CALM = "calm"
    SQUEEZING = "squeezing"
    REVOKING = "revoking"
    COOLING = "cooling"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """[pressure] of the configuration, where each is explained. A threshold of 0: not watched."""

    interval_s: float = 1.0
    cpu_stall_percent: float = 20.0
    cpu_reserve_percent: float = 10.0
    min_cpus: float = 0.1
    memory_reserve_percent: float = 5.0
    memory_stall_percent: float = 10.0
    release_percent: float = 50.0
    revoke_after_s: float = 15.0
    starved_percent: float = 10.0
    cool_down_s: float = 60.0


@dataclass(frozen=True)
class Control:
    """What is in force. None: not limited."""

    phase: Phase = Phase.CALM
    since_s: float = 0.0
    """When the phase began."""
    cpus: float | None = None
    high_bytes: int | None = None
    demand_cpus: float = 0.0
    """The most that protected tasks used since the squeeze began."""
    in_vain_s: float | None = None
    """Since when the squeeze does not suffice."""


@dataclass(frozen=True)
class Squeeze:
    """The revocable pods together get no more than this. None: no limit. Repeated each time, since pods come and go."""

    cpus: float | None
    high_bytes: int | None


@dataclass(frozen=True)
class Revoke:
    """The least that must come free; 0: nothing of that kind."""

    cpus: float
    mem_bytes: int


@dataclass(frozen=True)
class Release:
    """No limit any more."""


Action = Squeeze | Revoke | Release
Decision = tuple[Control, tuple[Action, ...]]


def decide(policy: Policy, control: Control, now: Readings) -> Decision:
    """The next state, and what is to be done for it in this order."""
    if control.phase is Phase.CALM:
        return _begin(policy, control, now)
    if not now.borrowed.pods:
        return Control(since_s=now.at_s), (Release(),)
    control = _tighten(policy, control, now)
    following, actions = _follow(policy, control, now)
    return following, (Squeeze(control.cpus, control.high_bytes), *actions)


def pressed(policy: Policy, now: Readings) -> tuple[str, ...]:
    """What the node is short of: `cpu`, `memory`."""
    found = {"cpu": _cpu_pressed(policy, now), "memory": _memory_pressed(policy, now)}
    return tuple(name for name, is_pressed in found.items() if is_pressed)


def look_again_s(policy: Policy, now: Readings) -> float | None:
    """When to look at the memory again, since no trigger watches its headroom; None: it is not watched."""
    if not policy.memory_reserve_percent:
        return None
    spare_bytes = now.available_bytes - _reserve_bytes(policy, now)
    return min(_LOOK_MOST_S, max(policy.interval_s, spare_bytes / _LOOK_RATE))


def _begin(policy: Policy, control: Control, now: Readings) -> Decision:
    if not now.borrowed.pods or not pressed(policy, now):
        return control, ()
    began = _tighten(policy, Control(Phase.SQUEEZING, now.at_s), now)
    return began, (Squeeze(began.cpus, began.high_bytes),)


def _follow(policy: Policy, control: Control, now: Readings) -> Decision:
    if control.phase is Phase.REVOKING:
        return (control if now.borrowed.revoking else _enter(Phase.SQUEEZING, control, now)), ()
    if not _clear(policy, control, now):
        if control.phase is Phase.COOLING:
            control = _enter(Phase.SQUEEZING, control, now)
        return _insist(policy, control, now)
    if control.phase is Phase.SQUEEZING:
        return _enter(Phase.COOLING, control, now), ()
    if now.at_s - control.since_s >= policy.cool_down_s:
        return Control(since_s=now.at_s), (Release(),)
    return control, ()


def _enter(phase: Phase, control: Control, now: Readings) -> Control:
    return replace(control, phase=phase, since_s=now.at_s, in_vain_s=None)


def _insist(policy: Policy, control: Control, now: Readings) -> Decision:
    """Revoke once the squeeze has had no effect for long enough."""
    wanted = _wanted(policy, control, now)
    if wanted is None:
        return replace(control, in_vain_s=None), ()
    since_s = now.at_s if control.in_vain_s is None else control.in_vain_s
    if now.at_s - since_s < policy.revoke_after_s:
        return replace(control, in_vain_s=since_s), ()
    return _enter(Phase.REVOKING, control, now), (wanted,)


# --- what is short, and what is not ----------------------------------------------------------------------------


def _clear(policy: Policy, control: Control, now: Readings) -> bool:
    return _cpu_clear(policy, control, now) and now.available_bytes >= _ample_bytes(policy, now)


def _cpu_pressed(policy: Policy, now: Readings) -> bool:
    full = now.rest_cpus + now.revocable_cpus >= _usable_cpus(policy, now)
    return 0 < policy.cpu_stall_percent <= now.cpu_stall_percent and full


def _cpu_clear(policy: Policy, control: Control, now: Readings) -> bool:
    if control.cpus is None:
        return not _cpu_pressed(policy, now)
    release = policy.release_percent / 100
    if now.cpu_stall_percent >= policy.cpu_stall_percent * release:
        return False
    return not _binds(control, now) or now.protected_cpus <= control.demand_cpus * release


def _binds(control: Control, now: Readings) -> bool:
    if control.cpus is None:
        return False
    return now.revocable_cpus >= control.cpus * _BINDS or now.revocable_stall_percent >= _BINDS_STALL_PERCENT


def _memory_pressed(policy: Policy, now: Readings) -> bool:
    if now.available_bytes < _reserve_bytes(policy, now):
        return True
    waits = 0 < policy.memory_stall_percent <= now.memory_stall_percent
    return waits and now.available_bytes < _ample_bytes(policy, now)


def _reserve_bytes(policy: Policy, now: Readings) -> float:
    return now.total_bytes * policy.memory_reserve_percent / 100


def _ample_bytes(policy: Policy, now: Readings) -> float:
    """With this much available memory is not scarce."""
    return _reserve_bytes(policy, now) * 100 / policy.release_percent


def _usable_cpus(policy: Policy, now: Readings) -> float:
    return now.capacity_cpus * (1 - policy.cpu_reserve_percent / 100)


# --- how much --------------------------------------------------------------------------------------------------


def _tighten(policy: Policy, control: Control, now: Readings) -> Control:
    """The limits for the next interval; one that is not there begins when its resource is pressed."""
    return replace(
        control,
        demand_cpus=max(control.demand_cpus, now.protected_cpus),
        cpus=_quota_cpus(policy, control, now),
        high_bytes=_high_bytes(policy, control, now),
    )


def _quota_cpus(policy: Policy, control: Control, now: Readings) -> float | None:
    if control.cpus is None and not _cpu_pressed(policy, now):
        return None
    usable = _usable_cpus(policy, now)
    wanted = min(usable, max(policy.min_cpus, usable - now.rest_cpus))
    if control.cpus is None:
        return round(wanted, 3)
    return round(min(wanted, control.cpus + now.capacity_cpus * _STEP), 3)


def _high_bytes(policy: Policy, control: Control, now: Readings) -> int | None:
    if not _memory_pressed(policy, now):
        return control.high_bytes
    missing_bytes = _ample_bytes(policy, now) - now.available_bytes
    least_bytes = max(now.borrowed.mem_bytes, now.revocable_bytes) * _LEAST_MEMORY
    high_bytes = int(max(least_bytes, now.revocable_bytes - missing_bytes))
    return high_bytes if control.high_bytes is None else min(high_bytes, control.high_bytes)


def _wanted(policy: Policy, control: Control, now: Readings) -> Revoke | None:
    """What the squeeze cannot give; None if it suffices, or if nothing that can be revoked would help."""
    if not now.borrowed.victims:
        return None
    wanted = Revoke(_starved_cpus(policy, control, now), _missing_bytes(policy, now))
    return wanted if wanted.cpus or wanted.mem_bytes else None


def _starved_cpus(policy: Policy, control: Control, now: Readings) -> float:
    """So that the others have their share of the quota."""
    if control.cpus is None or not policy.starved_percent or not _binds(control, now):
        return 0.0
    fed_cpus = control.cpus * 100 / policy.starved_percent
    return max(0.0, round(now.borrowed.cpus - fed_cpus, 3))


def _missing_bytes(policy: Policy, now: Readings) -> int:
    """In terms of what pods hold, which is more than they use."""
    missing_bytes = _ample_bytes(policy, now) - now.available_bytes
    useless = now.revocable_bytes < missing_bytes * _WORTH
    if not _memory_pressed(policy, now) or useless or not now.borrowed.mem_bytes:
        return 0
    held = now.borrowed.mem_bytes / max(1, now.revocable_bytes)
    return min(now.borrowed.mem_bytes, max(1, math.ceil(missing_bytes * held)))
