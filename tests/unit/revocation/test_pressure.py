"""Pressure: what is done about it, on single readings."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest

from executor.config import PressureSection
from executor.revocation.pressure import (
    Action,
    Control,
    Phase,
    Policy,
    Release,
    Revoke,
    Squeeze,
    decide,
    look_again_s,
    pressed,
)
from executor.revocation.readings import Borrowed, Readings
from tests.unit.revocation.nodes import BORROWED, GIB, POLICY, SHORT_OF_CPU, SHORT_OF_MEMORY, readings


def test_the_configuration_is_the_policy() -> None:
    section = PressureSection()
    assert not section.enabled
    assert Policy(**{each.name: getattr(section, each.name) for each in fields(Policy)}) == Policy()


def test_a_calm_node_is_left_alone() -> None:
    assert decide(POLICY, Control(), readings()) == (Control(), ())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("cpu",)),
        ({"cpu_stall_percent": 19.9}, ()),
        ({"rest_cpus": 3.0}, ()),  # they wait although CPUs are free: for their own limits
        ({"available_bytes": 2 * GIB}, ("cpu", "memory")),
        ({"cpu_stall_percent": 0.0, "available_bytes": 5 * GIB, "memory_stall_percent": 10.0}, ("memory",)),
        ({"cpu_stall_percent": 0.0, "available_bytes": 7 * GIB, "memory_stall_percent": 90.0}, ()),  # not scarce
    ],
)
def test_what_is_pressure(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert pressed(POLICY, replace(SHORT_OF_CPU, **changes)) == expected


def test_a_threshold_of_0_is_not_watched() -> None:
    blind = replace(POLICY, cpu_stall_percent=0, memory_reserve_percent=0)
    assert pressed(blind, replace(SHORT_OF_CPU, available_bytes=0, memory_stall_percent=99)) == ()
    assert look_again_s(blind, readings()) is None


def test_a_squeeze_leaves_what_the_rest_uses_and_a_reserve() -> None:
    control, actions = decide(POLICY, Control(), SHORT_OF_CPU)
    assert actions == (Squeeze(2.2, None),)  # 8 cpus less 10 % less 5
    assert control.phase is Phase.SQUEEZING


def test_a_squeeze_is_tightened_at_once_and_loosened_step_by_step() -> None:
    control, _ = decide(POLICY, Control(), SHORT_OF_CPU)
    control, actions = decide(POLICY, control, replace(SHORT_OF_CPU, at_s=1, rest_cpus=7.5))
    assert actions == (Squeeze(POLICY.min_cpus, None),)
    _, actions = decide(POLICY, control, replace(SHORT_OF_CPU, at_s=2, rest_cpus=0.5))
    assert actions == (Squeeze(0.9, None),)


def test_memory_is_squeezed_by_what_is_missing() -> None:
    _, actions = decide(POLICY, Control(), readings(available_bytes=2 * GIB, revocable_bytes=10 * GIB))
    (squeeze,) = actions
    assert isinstance(squeeze, Squeeze) and squeeze.cpus is None
    assert squeeze.high_bytes == pytest.approx(10 * GIB - (6.4 - 2) * GIB, rel=1e-6)


def test_memory_that_stays_short_is_revoked_by_what_pods_hold() -> None:
    """1.4 GiB are missing for ample memory of 6.4 GiB; pods use half of what they hold."""
    now = readings(available_bytes=3 * GIB, revocable_bytes=4 * GIB, borrowed=replace(BORROWED, mem_bytes=8 * GIB))
    control, _ = decide(POLICY, Control(), now)
    for at_s in range(1, 10):
        control, actions = decide(POLICY, control, replace(now, at_s=at_s))
        if revocations := [action for action in actions if isinstance(action, Revoke)]:
            break
    assert at_s == 1 + POLICY.revoke_after_s
    assert revocations == [Revoke(0.0, pytest.approx(6.8 * GIB, rel=1e-6))]  # type: ignore[arg-type]
    assert control.phase is Phase.REVOKING


def test_pods_that_use_next_to_nothing_are_not_ended_for_memory() -> None:
    now = replace(SHORT_OF_MEMORY, revocable_bytes=GIB // 8)
    assert not any(isinstance(action, Revoke) for action in run(now, 30))


def test_pods_that_starve_are_revoked_until_the_others_do_not() -> None:
    """At the floor of 0.1 cpus and a share of 10 %, pods may hold one cpu."""
    now = replace(SHORT_OF_CPU, rest_cpus=7.9, protected_cpus=7.9, revocable_cpus=0.1)
    revocations = [action for action in run(now, 10) if isinstance(action, Revoke)]
    assert revocations[0] == Revoke(3.0, 0)


def test_starving_is_no_reason_when_it_is_switched_off_or_when_they_want_no_more() -> None:
    now = replace(SHORT_OF_CPU, rest_cpus=7.9, protected_cpus=7.9, revocable_cpus=0.1)
    for policy, reading in ((replace(POLICY, starved_percent=0), now), (POLICY, replace(now, revocable_cpus=0.05))):
        assert not any(isinstance(action, Revoke) for action in run(reading, 60, policy))
    wanting = replace(
        now, revocable_cpus=0.05, revocable_stall_percent=90
    )  # the class's weight leaves them not even that
    assert any(isinstance(action, Revoke) for action in run(wanting, 60))


def test_one_revocation_at_a_time_and_a_pause_between_two() -> None:
    now = SHORT_OF_MEMORY
    control = Control()
    revoked_s: list[int] = []
    for at_s in range(60):
        under_way = bool(revoked_s) and at_s < revoked_s[-1] + 3
        borrowed = replace(BORROWED, revoking=under_way)
        control, actions = decide(POLICY, control, replace(now, at_s=at_s, borrowed=borrowed))
        revoked_s += [at_s for action in actions if isinstance(action, Revoke)]
    gaps = [later - earlier for earlier, later in pairwise(revoked_s)]
    assert len(gaps) > 2 and min(gaps) >= 3 + POLICY.revoke_after_s


def test_what_has_passed_is_kept_for_the_cool_down_and_then_let_go() -> None:
    control, _ = decide(POLICY, Control(), SHORT_OF_CPU)
    calm = readings(protected_cpus=1.0)  # less than half of the demand
    seen: list[Phase] = []
    for at_s in range(1, 40):
        control, actions = decide(POLICY, control, replace(calm, at_s=at_s))
        seen.append(control.phase)
        if Release() in actions:
            break
    assert seen[0] is Phase.COOLING and seen[-1] is Phase.CALM
    assert at_s == 1 + POLICY.cool_down_s


def test_a_squeeze_that_holds_the_demand_back_is_not_let_go() -> None:
    """The regular pods do not wait because of the squeeze; without it they would."""
    control, _ = decide(POLICY, Control(), SHORT_OF_CPU)
    for at_s in range(1, 500):
        now = readings(at_s, rest_cpus=5.0, protected_cpus=5.0, revocable_cpus=control.cpus)
        control, _ = decide(POLICY, control, now)
    assert control.phase is Phase.SQUEEZING


def test_without_revocable_pods_it_ends_at_once() -> None:
    control, _ = decide(POLICY, Control(), SHORT_OF_CPU)
    control, actions = decide(POLICY, control, replace(SHORT_OF_CPU, at_s=1, borrowed=Borrowed()))
    assert (control.phase, actions) == (Phase.CALM, (Release(),))


def test_the_less_spare_memory_the_sooner_it_is_looked_at() -> None:
    times = [look_again_s(POLICY, readings(available_bytes=free * GIB)) for free in (1, 5, 20, 64)]
    assert times == [1.0, pytest.approx(1.8), pytest.approx(16.8), pytest.approx(60.0)]


def run(now: Readings, seconds: int, policy: Policy = POLICY) -> list[Action]:
    """What is done while a reading stays as it is."""
    control = Control()
    done: list[Action] = []
    for at_s in range(seconds):
        control, actions = decide(policy, control, replace(now, at_s=at_s))
        done += actions
    return done
