"""Against a second, naive way to count: a list of all results."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.probes.state import Result, State, Verdict, begin, take
from executor.spec.probes import Kind, Probe, Probes, TcpSocket

ACTION = TcpSocket(80)
GOOD, BAD = Result(ok=True), Result(ok=False, message="refused")


def liveness(failures: int = 3) -> Probe:
    return Probe(ACTION, failure_threshold=failures, fatal_failures=failures)


def run(state: State, kind: Kind, results: list[bool], age_s: float = 1e6) -> tuple[State, list[Verdict]]:
    verdicts = []
    for ok in results:
        state, verdict = take(state, kind, GOOD if ok else BAD, age_s)
        verdicts += [verdict] if verdict is not None else []
    return state, verdicts


def test_liveness_is_good_from_the_start_and_fatal_after_its_threshold() -> None:
    state, verdicts = run(begin(Probes(liveness=liveness())), Kind.LIVENESS, [True, False, False, True, False, False])
    assert not verdicts and not state.over
    state, verdicts = run(state, Kind.LIVENESS, [False])
    assert [(each.ok, each.fatal, each.failures, each.message) for each in verdicts] == [(False, True, 3, "refused")]
    assert state.over


def test_nothing_counts_after_the_end() -> None:
    probes = Probes(liveness=liveness(1), readiness=Probe(ACTION))
    state, _ = run(begin(probes), Kind.LIVENESS, [False])
    after, verdicts = run(state, Kind.READINESS, [True, True])
    assert after == state and not verdicts
    assert not any(state.is_due(kind) for kind in Kind)


def test_readiness_begins_not_ready_and_follows_both_thresholds() -> None:
    probes = Probes(readiness=Probe(ACTION, success_threshold=2, failure_threshold=3))
    state, verdicts = run(begin(probes), Kind.READINESS, [True])
    assert not state.ready and not verdicts
    state, verdicts = run(state, Kind.READINESS, [True, False, False])
    assert state.ready and [each.ok for each in verdicts] == [True]
    state, verdicts = run(state, Kind.READINESS, [False])
    assert not state.ready and [(each.ok, each.fatal) for each in verdicts] == [(False, False)]
    state, verdicts = run(state, Kind.READINESS, [False] * 100)
    assert not verdicts and not state.over


def test_the_others_wait_for_the_startup_probe() -> None:
    probes = Probes(startup=liveness(30), liveness=liveness(), readiness=Probe(ACTION), health=liveness())
    state = begin(probes)
    assert [kind for kind in Kind if state.is_due(kind)] == [Kind.STARTUP, Kind.HEALTH, Kind.CHECK]
    assert run(state, Kind.LIVENESS, [False] * 9) == (state, [])
    state, verdicts = run(state, Kind.STARTUP, [False, False, True])
    assert [(each.kind, each.ok) for each in verdicts] == [(Kind.STARTUP, True)]
    assert state.started and not state.is_due(Kind.STARTUP) and state.is_due(Kind.LIVENESS)


def test_a_container_without_probes_is_ready() -> None:
    assert begin(Probes()).ready
    assert begin(Probes(liveness=liveness())).ready


def test_health_of_mesos_turns_at_once_and_ends_after_its_failures() -> None:
    health = Probe(ACTION, failure_threshold=1, fatal_failures=3, ignore_failures_s=10.0)
    state, verdicts = run(begin(Probes(health=health)), Kind.HEALTH, [False] * 5, age_s=9.0)
    assert not verdicts
    state, verdicts = run(state, Kind.HEALTH, [True], age_s=9.5)
    assert [each.ok for each in verdicts] == [True]
    state, verdicts = run(state, Kind.HEALTH, [False, False, False], age_s=9.9)  # its grace ended with the success
    assert [(each.ok, each.fatal, each.failures) for each in verdicts] == [(False, False, 1), (False, True, 3)]


def test_a_check_tells_each_new_value_and_ends_nothing() -> None:
    state, values = begin(Probes(check=Probe(ACTION))), []
    for value in (None, 0, 0, 1, True, False, None, None):
        state, verdict = take(state, Kind.CHECK, Result(ok=value == 0, value=value), 0.0)
        values += [verdict.value] if verdict is not None else []
    assert values == [0, 1, True, False, None]
    assert not state.over


THRESHOLDS = st.integers(1, 5)


@given(st.lists(st.booleans(), max_size=60), THRESHOLDS, THRESHOLDS)
def test_readiness_counts_as_a_naive_count_does(results: list[bool], success: int, failure: int) -> None:
    probes = Probes(readiness=Probe(ACTION, success_threshold=success, failure_threshold=failure))
    state, ready = begin(probes), False
    for number in range(1, len(results) + 1):
        seen = results[:number]
        before = ready
        if all(seen[-success:]) and number >= success:
            ready = True
        elif not any(seen[-failure:]) and number >= failure:
            ready = False
        state, verdict = take(state, Kind.READINESS, GOOD if seen[-1] else BAD, 0.0)
        assert state.ready is ready
        assert (verdict is not None) is (before is not ready)


@given(st.lists(st.booleans(), max_size=60), THRESHOLDS)
def test_liveness_ends_exactly_at_the_first_full_row_of_failures(results: list[bool], failures: int) -> None:
    rows = [n for n in range(failures, len(results) + 1) if not any(results[n - failures : n])]
    state, ends = begin(Probes(liveness=liveness(failures))), []
    for number, ok in enumerate(results, 1):
        state, verdict = take(state, Kind.LIVENESS, GOOD if ok else BAD, 0.0)
        ends += [number] if verdict is not None and verdict.fatal else []
    assert ends == rows[:1]


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.booleans(), st.floats(0, 100)), max_size=80))
def test_whatever_comes_values_change_only_by_verdicts(events: list[tuple[Kind, bool, float]]) -> None:
    probes = Probes(liveness(4), liveness(3), Probe(ACTION), Probe(ACTION, failure_threshold=1, fatal_failures=2))
    state = begin(probes)
    for kind, ok, age_s in events:
        after, verdict = take(state, kind, GOOD if ok else BAD, age_s)
        changed = {each for each in after.values if after.values[each] is not state.values[each]}
        assert changed <= ({verdict.kind} if verdict is not None else set())
        assert not state.over or after == state
        assert after.over is (state.over or (verdict is not None and verdict.fatal))
        state = after
