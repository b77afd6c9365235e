"""Pressure: what is done about it in time, on any readings and on a simulated node that answers back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.revocation.pressure import (
    Action,
    Control,
    Phase,
    Policy,
    Release,
    Revoke,
    Squeeze,
    decide,
)
from executor.revocation.readings import Borrowed, Readings
from tests.unit.revocation.nodes import GIB, POLICY, readings

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
