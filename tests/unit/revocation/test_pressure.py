"""Pressure: what is done about it, on single readings, on any readings, and on a simulated node that answers back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

GIB = 1 << 30
POLICY = Policy(revoke_after_s=5, cool_down_s=20)
BORROWED = Borrowed(pods=2, victims=2, cpus=4.0, mem_bytes=4 * GIB)


def readings(at_s: float = 0.0, **fields: Any) -> Readings:
    """A node of 8 CPUs and 64 GiB where nothing is wrong."""
    usual: dict[str, Any] = {
        "rest_cpus": 1.0,
        "protected_cpus": 1.0,
        "revocable_cpus": 2.0,
        "available_bytes": 32 * GIB,
        "total_bytes": 64 * GIB,
        "revocable_bytes": 2 * GIB,
        "borrowed": BORROWED,
    }
    return Readings(at_s=at_s, capacity_cpus=8.0, **(usual | fields))


SHORT_OF_CPU = readings(rest_cpus=5.0, protected_cpus=5.0, revocable_cpus=3.0, cpu_stall_percent=40.0)
SHORT_OF_MEMORY = readings(available_bytes=2 * GIB)


# --- single readings ---------------------------------------------------------------------------------------------


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


# --- any readings ------------------------------------------------------------------------------------------------

_cpus = st.floats(0, 8)
_percents = st.floats(0, 100)
_sizes = st.integers(0, 64 * GIB)


@st.composite
def any_borrowed(draw: st.DrawFn) -> Borrowed:
    pods = draw(st.integers(0, 3))
    victims = draw(st.integers(0, pods))
    held = (draw(st.floats(0.1, 8)), draw(st.integers(1, 32 * GIB))) if victims else (0.0, 0)
    return Borrowed(pods, victims, *held, revoking=draw(st.booleans()))


any_readings = st.builds(
    Readings,
    at_s=st.just(0.0),
    capacity_cpus=st.just(8.0),
    rest_cpus=_cpus,
    protected_cpus=_cpus,
    revocable_cpus=_cpus,
    cpu_stall_percent=_percents,
    memory_stall_percent=_percents,
    revocable_stall_percent=_percents,
    available_bytes=_sizes,
    total_bytes=st.just(64 * GIB),
    revocable_bytes=_sizes,
    borrowed=any_borrowed(),
)
stories = st.lists(any_readings, min_size=1, max_size=60)


def play(story: list[Readings]) -> Iterator[tuple[Control, Control, Readings, tuple[Action, ...]]]:
    control = Control()
    for at_s, each in enumerate(story):
        now, before = replace(each, at_s=float(at_s)), control
        control, actions = decide(POLICY, control, now)
        yield before, control, now, actions


@given(stories)
def test_nothing_is_revoked_when_nothing_is_revocable_nor_more_than_is_held(story: list[Readings]) -> None:
    for _, _, now, actions in play(story):
        for action in actions:
            if isinstance(action, Revoke):
                assert now.borrowed.victims and not now.borrowed.revoking
                assert 0 <= action.cpus <= now.borrowed.cpus
                assert 0 <= action.mem_bytes <= now.borrowed.mem_bytes
                assert action.cpus or action.mem_bytes


@given(stories)
def test_it_never_oscillates_faster_than_the_cool_down(story: list[Readings]) -> None:
    began_s = float("-inf")
    for before, after, now, actions in play(story):
        if before.phase is Phase.CALM and after.phase is not Phase.CALM:
            began_s = now.at_s
        if Release() in actions:
            assert now.at_s - began_s >= POLICY.cool_down_s or not now.borrowed.pods


@given(stories)
def test_revocations_keep_their_distance(story: list[Readings]) -> None:
    last_s = float("-inf")
    for _, _, now, actions in play(story):
        if any(isinstance(action, Revoke) for action in actions):
            assert now.at_s - last_s >= POLICY.revoke_after_s
            last_s = now.at_s


@given(stories)
def test_calm_means_that_nothing_is_in_force(story: list[Readings]) -> None:
    in_force: Squeeze | None = None
    for _, after, now, actions in play(story):
        for action in actions:
            in_force = action if isinstance(action, Squeeze) else None if isinstance(action, Release) else in_force
        assert (in_force is None) == (after.phase is Phase.CALM)
        if in_force is not None:
            assert in_force == Squeeze(after.cpus, after.high_bytes)
            assert after.cpus is None or POLICY.min_cpus <= after.cpus <= now.capacity_cpus
            assert after.high_bytes is None or after.high_bytes >= 0


@given(stories, any_readings, st.floats(0, 8), st.floats(0, 60), st.integers(0, 64 * GIB))
def test_the_squeeze_is_monotone_with_load(
    story: list[Readings], now: Readings, cpus: float, stall: float, less_bytes: int
) -> None:
    """Whatever has been: more load never means more for the revocable pods."""
    control = [after for _, after, _, _ in play(story)][-1]
    now = replace(now, at_s=float(len(story)), borrowed=replace(now.borrowed, pods=1))
    more = replace(
        now,
        rest_cpus=now.rest_cpus + cpus,
        cpu_stall_percent=min(100.0, now.cpu_stall_percent + stall),
        available_bytes=max(0, now.available_bytes - less_bytes),
    )
    light, heavy = decide(POLICY, control, now)[0], decide(POLICY, control, more)[0]
    infinite = float("inf")
    for name in ("cpus", "high_bytes"):
        of_light, of_heavy = getattr(light, name), getattr(heavy, name)
        assert (infinite if of_heavy is None else of_heavy) <= (infinite if of_light is None else of_light)


# --- a node that answers -----------------------------------------------------------------------------------------


@dataclass
class Plant:
    """A node whose regular and revocable pods want CPU; both get half when they fight, as two containers of one weight.

    Who gets less than he wants waits for the part that is missing.
    """

    capacity: float = 8.0
    regular_wants: float = 0.0
    revocable_wants: float = 8.0
    held: float = 8.0
    quota: float | None = None
    revoked: float = 0.0

    def read(self, at_s: float) -> Readings:
        revocable = min(self.revocable_wants, self.held, self.quota if self.quota is not None else self.capacity)
        fair = self.capacity / 2
        regular = min(self.regular_wants, max(fair, self.capacity - revocable))
        revocable = min(revocable, self.capacity - regular)
        missing = (self.regular_wants - regular) / self.regular_wants if self.regular_wants else 0.0
        pods = int(self.held > 0)
        return readings(
            at_s,
            rest_cpus=regular,
            protected_cpus=regular,
            revocable_cpus=revocable,
            cpu_stall_percent=100 * missing,
            borrowed=Borrowed(pods, pods, self.held, GIB if pods else 0),
        )

    def obey(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Squeeze(cpus, _):
                    self.quota = cpus
                case Release():
                    self.quota = None
                case Revoke(cpus, _):
                    self.held -= cpus
                    self.revoked += cpus


def live(plant: Plant, wants: Iterator[float], policy: Policy = POLICY) -> list[tuple[Phase, Readings]]:
    control, story = Control(), []
    for at_s, regular_wants in enumerate(wants):
        plant.regular_wants = regular_wants
        now = plant.read(float(at_s))
        control, actions = decide(policy, control, now)
        plant.obey(actions)
        story.append((control.phase, now))
    return story


def test_regular_pods_get_what_they_want_within_seconds() -> None:
    plant = Plant()
    story = live(plant, iter([0.0] * 5 + [6.0] * 60))
    waited = [now.cpu_stall_percent > 0 for _, now in story[5:]]
    assert waited[0] and not any(waited[10:])
    assert story[-1][1].revocable_cpus == pytest.approx(7.2 - 6.0, abs=0.1)
    assert plant.revoked == 0


def test_a_steady_load_is_met_by_one_squeeze() -> None:
    phases = [phase for phase, _ in live(Plant(), iter([6.0] * 300))]
    assert phases.count(Phase.SQUEEZING) == 300


def test_a_load_that_comes_and_goes_does_not_make_it_oscillate() -> None:
    """For two of every five seconds the regular pods are busy: one squeeze lasts through all of it."""
    phases = [phase for phase, _ in live(Plant(), (6.0 if at_s % 5 < 2 else 0.5 for at_s in range(300)))]
    assert Phase.CALM not in phases[1:]


def test_the_slowest_oscillation_is_the_cool_down() -> None:
    """Bursts a little further apart than the cool-down are each met anew: the worst that can be."""
    phases = [phase for phase, _ in live(Plant(), (6.0 if at_s % 30 < 3 else 0.5 for at_s in range(300)))]
    begins = [at_s for at_s in range(1, 300) if phases[at_s - 1] is Phase.CALM and phases[at_s] is Phase.SQUEEZING]
    gaps = [later - earlier for earlier, later in pairwise(begins)]
    assert gaps and min(gaps) >= POLICY.cool_down_s


def test_it_ends_when_the_load_has_gone() -> None:
    plant = Plant()
    story = live(plant, iter([6.0] * 20 + [0.5] * 40))
    assert story[-1][0] is Phase.CALM and plant.quota is None
    assert story[-1][1].revocable_cpus == pytest.approx(7.5)


def test_starving_pods_are_revoked_no_more_than_needed() -> None:
    """All CPUs are wanted by the regular pods: at the floor of 0.1, one held cpu may stay."""
    plant = Plant()
    live(plant, iter([8.0] * 120))
    assert plant.held == pytest.approx(1.0)
