"""Percentiles by the nearest rank, and which receipts count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.names import PodId, RevocationId
from executor.revocation.history import percentiles, summary
from executor.revocation.receipt import Outcome, Receipt, State, Step, Victim


def test_ranks() -> None:
    assert percentiles(range(1, 101)) == {"count": 100, "p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "max_ms": 100}
    assert percentiles([7.0]) == {"count": 1, "p50_ms": 7.0, "p90_ms": 7.0, "p99_ms": 7.0, "max_ms": 7.0}
    assert percentiles([])["count"] == 0 and percentiles([])["p99_ms"] is None


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_each_percentile_was_measured_and_they_are_in_order(values: list[int]) -> None:
    found = percentiles(values)
    ranked = [found[key] for key in ("p50_ms", "p90_ms", "p99_ms", "max_ms")]
    assert ranked == sorted(ranked) and set(ranked) <= set(values)
    assert sum(value <= found["p90_ms"] for value in values) >= 0.9 * len(values)


def receipt(state: State, *victims: Victim) -> Receipt:
    steps = (Step("proof", 1.0, 1.0, ""), Step("kill", 12.0, 2.0, ""))
    last = max((victim.ms for victim in victims), default=0.0)
    return Receipt(RevocationId("r"), "", state, victims, time_to_free_ms=last, steps=steps)


def victim(outcome: Outcome, ms: float) -> Victim:
    return Victim(PodId("pod-1"), (), outcome, ms)


def test_only_what_was_carried_out_counts() -> None:
    done = receipt(State.DONE, victim(Outcome.EXITED, 5.0), victim(Outcome.KILLED, 30.0))
    stuck = receipt(State.STUCK, victim(Outcome.STUCK, 900.0), victim(Outcome.KILLED, 50.0))
    dry = receipt(State.DRY_RUN, victim(Outcome.WOULD_END, 0.0))
    found = summary([done, stuck, dry, receipt(State.DONE), receipt(State.REFUSED)])
    assert found["revocations"]["count"] == 2
    assert (found["victims"]["count"], found["victims"]["max_ms"]) == (3, 50.0)
    assert (found["after_kill"]["p50_ms"], found["after_kill"]["max_ms"]) == (20.0, 40.0)
    assert found["stuck"] == 1
