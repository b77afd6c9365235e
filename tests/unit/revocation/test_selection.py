"""Which pods a request takes: never a regular one, enough, and no pod more than that."""

from __future__ import annotations

import itertools

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


def test_a_task_that_ended_a_moment_ago_holds_up_none_of_the_others() -> None:
    both = request(Select(tasks=(TaskId("a"), TaskId("gone"))))
    assert list(select(both, NODE, {TaskId("gone")})) == [ENG]
    with pytest.raises(NotFound, match="task gone"):
        select(both, NODE)
    with pytest.raises(NotFound, match="task gone"):
        select(request(Select(tasks=(TaskId("gone"),))), NODE, {TaskId("gone")})


def test_a_role_is_within_itself_and_its_ancestors_only() -> None:
    assert within(Role("eng/dev"), Role("eng"))
    assert not within(Role("engine"), Role("eng"))
    assert not within(Role("eng"), Role("eng/dev"))
    assert not within(Role("eng"), Role("*"))


def test_the_lowest_priority_goes_first_then_the_least_lost_work_then_the_greatest_overshoot() -> None:
    high = pod("high", cpus=1, priority=5)
    old = pod("old", cpus=1, lost_work_s=100)
    young = pod("young", cpus=1, lost_work_s=1)
    greedy = pod("greedy", cpus=1, lost_work_s=2, overshoot=0.5)  # a second is no difference
    taken = [candidate.pod for candidate in select(request(Reclaim(cpus=4)), [high, old, young, greedy])]
    assert taken == ["pod-greedy", "pod-young", "pod-old", "pod-high"]


def test_more_than_there_is_is_refused_with_what_there_is() -> None:
    with pytest.raises(Refused, match="2 cpus"):
        select(request(Reclaim(cpus=3)), [pod("a", cpus=2)])


MOST = 9
CANDIDATES = st.lists(
    st.builds(
        lambda index, revocable, cpus, mem, priority, lost, overshoot, ending: pod(
            str(index),
            PodClass.REVOCABLE if revocable else PodClass.REGULAR,
            cpus=cpus / 10,
            mem_bytes=mem,
            priority=priority,
            lost_work_s=float(lost),
            overshoot=overshoot / 2,
            ending=ending,
        ),
        st.integers(0, 10**9),
        st.booleans(),
        st.integers(0, 40),
        st.integers(0, 100),
        st.integers(0, 3),
        st.integers(0, 200),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=MOST,
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


@given(CANDIDATES, st.integers(0, 100), st.integers(0, 300))
def test_of_all_sets_that_free_enough_it_is_the_one_that_spares_the_most_precious_pods(
    candidates: list[Candidate], tenths: int, mem: int
) -> None:
    """Tried against every set there is: no other one spares a pod that ranks later than all on which the two differ."""
    want = Reclaim(cpus=tenths / 10, mem_bytes=mem)
    held = [candidate for candidate in candidates if candidate.pod_class is PodClass.REVOCABLE]
    others = [candidate for candidate in held if not candidate.ending]
    ranked = sorted(others if enough(want, others) else held, key=rank, reverse=True)
    sets = [{each for each, taken in zip(ranked, choice, strict=True) if taken} for choice in choices(len(ranked))]
    sufficient = [chosen for chosen in sets if enough(want, list(chosen))]
    if not sufficient:
        with pytest.raises(Refused):
            select(request(want), candidates)
        return
    best = min(sufficient, key=lambda chosen: [each in chosen for each in ranked])
    assert set(select(request(want), candidates)) == best


def choices(count: int) -> list[tuple[bool, ...]]:
    return list(itertools.product((False, True), repeat=count))


@given(CANDIDATES, st.integers(1, 60))
def test_what_ends_already_is_promised_to_somebody_else_unless_there_is_nothing_else(
    candidates: list[Candidate], tenths: int
) -> None:
    want = Reclaim(cpus=tenths / 10)
    others = [each for each in candidates if each.pod_class is PodClass.REVOCABLE and not each.ending]
    if enough(want, others):
        assert not any(victim.ending for victim in select(request(want), candidates))


def test_an_amount_that_only_the_ending_ones_can_give_hastens_them_first() -> None:
    soft, other = pod("soft", cpus=2, priority=9, ending=True), pod("other", cpus=2)
    assert select(request(Reclaim(cpus=2)), [soft, other]) == (other,)
    assert select(request(Reclaim(cpus=3)), [soft, other]) == (soft, other)
    assert select(request(Reclaim(cpus=2)), [soft]) == (soft,)


def rank(candidate: Candidate) -> tuple[bool, int, float, float, str]:
    work = candidate.lost_work_s // 60
    return not candidate.ending, candidate.priority, work, -candidate.overshoot, candidate.pod


def enough(want: Reclaim, chosen: list[Candidate] | tuple[Candidate, ...]) -> bool:
    return sum(c.cpus for c in chosen) + 1e-9 >= want.cpus and sum(c.mem_bytes for c in chosen) >= want.mem_bytes
