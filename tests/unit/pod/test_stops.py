"""Stops that meet each other: the earliest end holds. A pod that ended by itself is told from one that was killed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.pod.life.effects import After
from executor.pod.life.events import ContainerExited, Event, GraceOver, Launch, RestartDue, Stop, StopCause
from executor.pod.life.lifecycle import begin, step
from executor.pod.life.model import State
from executor.spec.model import RestartPolicy
from tests.unit.pod.lives import REVOKE, play, running, spec

GRACES_S = st.one_of(st.none(), st.just(0.0), st.floats(0.1, 100))


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(list(StopCause)), GRACES_S), min_size=1, max_size=8))
def test_of_any_number_of_stops_the_earliest_end_holds(stops: list[tuple[float, StopCause, float | None]]) -> None:
    """No request waits behind another one's grace, and none gives a pod more time than another one left it."""
    pod, now_s, began = running(), 0.0, list[tuple[float, float]]()
    due: list[tuple[float, Event]] = []
    for pause_s, cause, grace_s in stops:
        now_s += pause_s
        due.append((now_s, Stop(cause, grace_s)))
        began.append((now_s, pod.spec.termination_grace_s if grace_s is None else grace_s))
        if cause is StopCause.REVOKED:
            due.append((sum(began[-1]), GraceOver()))  # the kill of all victims
    while pod.state is not State.DESTROYING:
        due.sort(key=lambda each: each[0])
        now_s, event = due.pop(0)
        pod, effects = step(pod, event)
        due += [(now_s + effect.delay_s, effect.event) for effect in effects if isinstance(effect, After)]
    assert now_s == pytest.approx(min(at_s + grace_s for at_s, grace_s in began))


def test_a_pod_that_ended_within_its_grace_is_told_from_one_that_was_killed() -> None:
    asked, _ = play(running(spec("a", "b")), Stop(StopCause.REVOKED, 60.0), ContainerExited("a", 1, 0))
    assert play(asked, ContainerExited("b", 1, 143))[0].exited
    overtaken, _ = play(asked, REVOKE, ContainerExited("b", 1, 137))
    assert overtaken.state is State.DESTROYING and not overtaken.exited
    assert not play(asked, GraceOver())[0].exited
    assert not play(begin(spec()), Launch(), REVOKE)[0].exited, "it never ran"
    always = running(spec(policy=RestartPolicy.ALWAYS))
    assert play(always, ContainerExited("app", 1, 1), REVOKE)[0].exited, "it was waiting for its restart"
    assert not play(always, ContainerExited("app", 1, 1), RestartDue("app"), REVOKE)[0].exited, (
        "a restart was under way"
    )
