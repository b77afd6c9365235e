"""Which pods a request takes: never a regular one, enough, and no pod more than that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import NotFound, Refused
from executor.names import PodClass, PodId, RevocationId, Role, TaskId
from executor.revocation.request import Reclaim, Request, Select
from executor.revocation.selection import Candidate, select, within


def request(want: Select | Reclaim) -> Request:
    return Request(RevocationId("r"), "", want, 0.0)


def pod(name: str, pod_class: PodClass = PodClass.REVOCABLE, role: str = "*", **more: object) -> Candidate:
    return Candidate(PodId(f"pod-{name}"), (TaskId(name),), pod_class, Role(role), **more)  # type: ignore[arg-type]


REGULAR = pod("web", PodClass.REGULAR, "eng")
ENG = pod("a", role="eng", labels=(("app", "x"),))
DEV = pod("b", role="eng/dev", labels=(("app", "x"), ("tier", "low")))
OPS = pod("c", role="engine")
NODE = [REGULAR, ENG, DEV, OPS]


@pytest.mark.parametrize(
    ("want", "victims"),
    [
        (Select(everything=True), [ENG, DEV, OPS]),
        (Select(roles=(Role("eng"),)), [ENG, DEV]),
        (Select(roles=(Role("eng/dev"), Role("engine"))), [DEV, OPS]),
        (Select(roles=(Role("*"),)), []),
        (Select(tasks=(TaskId("b"),)), [DEV]),
        (Select(labels=(("app", "x"),)), [ENG, DEV]),
        (Select(labels=(("app", "x"), ("tier", "low"))), [DEV]),
    ],
)
def test_each_selection_takes_its_revocable_pods_and_no_other(want: Select, victims: list[Candidate]) -> None:
    assert list(select(request(want), NODE)) == victims


def test_naming_a_regular_task_is_refused_as_a_whole() -> None:
    with pytest.raises(Refused, match="task web"):
        select(request(Select(tasks=(TaskId("a"), TaskId("web")))), NODE)


def test_naming_an_unknown_task_is_not_found() -> None:
    with pytest.raises(NotFound, match="task nobody"):
        select(request(Select(tasks=(TaskId("nobody"),))), NODE)


def test_a_role_is_within_itself_and_its_ancestors_only() -> None:
    assert within(Role("eng/dev"), Role("eng"))
    assert not within(Role("engine"), Role("eng"))
    assert not within(Role("eng"), Role("eng/dev"))
    assert not within(Role("eng"), Role("*"))


def test_the_lowest_priority_goes_first_then_the_least_lost_work_then_the_greatest_overshoot() -> None:
    high = pod("high", cpus=1, priority=5)
    old = pod("old", cpus=1, lost_work_s=100)
    young = pod("young", cpus=1, lost_work_s=1)
    greedy = pod("greedy", cpus=1, lost_work_s=1, overshoot=0.5)
    taken = [candidate.pod for candidate in select(request(Reclaim(cpus=4)), [high, old, young, greedy])]
    assert taken == ["pod-greedy", "pod-young", "pod-old", "pod-high"]


def test_more_than_there_is_is_refused_with_what_there_is() -> None:
    with pytest.raises(Refused, match="2 cpus"):
        select(request(Reclaim(cpus=3)), [pod("a", cpus=2)])


CANDIDATES = st.lists(
    st.builds(
        lambda index, revocable, cpus, mem, priority, lost: pod(
            str(index),
            PodClass.REVOCABLE if revocable else PodClass.REGULAR,
            cpus=cpus / 10,
            mem_bytes=mem,
            priority=priority,
            lost_work_s=float(lost),
        ),
        st.integers(0, 10**9),
        st.booleans(),
        st.integers(0, 40),
        st.integers(0, 100),
        st.integers(0, 3),
        st.integers(0, 50),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.pod,
)


@given(CANDIDATES, st.integers(0, 100), st.integers(0, 300))
def test_a_reclaim_frees_enough_with_no_superfluous_victim_and_no_regular_one(
    candidates: list[Candidate], tenths: int, mem: int
) -> None:
    want = Reclaim(cpus=tenths / 10, mem_bytes=mem)
    held = [candidate for candidate in candidates if candidate.pod_class is PodClass.REVOCABLE]
    try:
        victims = select(request(want), candidates)
    except Refused:
        assert not enough(want, held)
        return
    assert set(victims) <= set(held)
    assert enough(want, victims)
    for victim in victims:
        assert not enough(want, [other for other in victims if other is not victim]), f"{victim} is superfluous"


@given(CANDIDATES, st.integers(1, 60))
def test_a_spared_pod_never_ranks_before_a_victim_that_could_replace_it(
    candidates: list[Candidate], tenths: int
) -> None:
    """By the ranking no other set does: a pod that ranks before a victim and frees at least as much is a victim too."""
    try:
        victims = select(request(Reclaim(cpus=tenths / 10)), candidates)
    except Refused:
        return
    for spared in set(candidates) - set(victims):
        if spared.pod_class is not PodClass.REVOCABLE:
            continue
        for victim in victims:
            if spared.cpus >= victim.cpus:
                assert rank(spared) > rank(victim)


def rank(candidate: Candidate) -> tuple[int, float, float, str]:
    return candidate.priority, candidate.lost_work_s, -candidate.overshoot, candidate.pod


def enough(want: Reclaim, chosen: list[Candidate] | tuple[Candidate, ...]) -> bool:
    return sum(c.cpus for c in chosen) + 1e-9 >= want.cpus and sum(c.mem_bytes for c in chosen) >= want.mem_bytes
