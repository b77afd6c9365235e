"""Who may borrow from whom, and who returns: against every subset, by brute force."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from executor.lending.amount import Amount, total
from executor.lending.policy import Debtor, Policy, Quota, by_role, returns, shares
from executor.names import Role

OWNERS = (Role("spark"), Role("eng"), Role("eng/db"))
BORROWERS = (Role("batch"), Role("batch/night"), Role("dev"), Role("eng"))
AMOUNTS = st.builds(Amount, st.integers(0, 6), st.integers(0, 6))
RULES = st.dictionaries(
    st.sampled_from(BORROWERS), st.lists(st.sampled_from((*OWNERS, Role("*"))), max_size=2).map(tuple), max_size=4
)
QUOTAS = st.dictionaries(
    st.sampled_from(BORROWERS),
    st.builds(Quota, st.none() | st.integers(0, 10), st.none() | st.integers(0, 10)),
    max_size=2,
)
SURPLUS = st.fixed_dictionaries(dict.fromkeys(OWNERS, AMOUNTS))
HELD = st.dictionaries(st.sampled_from(BORROWERS), AMOUNTS, max_size=4)


@given(RULES, SURPLUS, HELD)
def test_shares_are_a_greatest_flow(
    rules: dict[Role, tuple[Role, ...]], surplus: dict[Role, Amount], held: dict[Role, Amount]
) -> None:
    policy = Policy(OWNERS, rules)
    found = shares(policy, surplus, held)
    assert all(owner in policy.lenders(borrower) for owner, borrower in found)
    for owner, amount in surplus.items():
        assert amount.covers(total(part for (lender, _), part in found.items() if lender == owner))
    for borrower, amount in held.items():
        assert amount.covers(total(part for (_, taker), part in found.items() if taker == borrower))
    cuts = []
    for size in range(len(held) + 1):
        for few in combinations(held, size):
            reached = {owner for borrower in few for owner in policy.lenders(borrower)}
            rest = [amount for borrower, amount in held.items() if borrower not in few]
            cuts.append(total([*rest, *(surplus[owner] for owner in reached)]))
    least = Amount(min(cut.millicpus for cut in cuts), min(cut.mem_mib for cut in cuts))
    assert total(found.values()) == least


def is_covered(policy: Policy, surplus: Mapping[Role, Amount], held: Mapping[Role, Amount]) -> bool:
    """Whether quotas allow what borrowers hold, and the owners' surplus covers it."""
    if not all(policy.within_quotas(role, held) for role in held):
        return False
    return total(shares(policy, surplus, held).values()).covers(total(held.values()))


DEBTORS = st.lists(
    st.tuples(st.sampled_from(BORROWERS), AMOUNTS, st.tuples(st.integers(0, 2), st.integers(0, 2))), max_size=8
).map(lambda drawn: [Debtor(str(number), *each) for number, each in enumerate(drawn)])


@given(RULES, QUOTAS, SURPLUS, DEBTORS)
def test_what_stays_is_covered_and_no_victim_is_superfluous(
    rules: dict[Role, tuple[Role, ...]],
    quotas: dict[Role, Quota],
    surplus: dict[Role, Amount],
    debtors: list[Debtor],
) -> None:
    policy = Policy(OWNERS, rules, quotas)
    chosen = returns(policy, surplus, debtors)
    rest = [each for each in debtors if each not in chosen]
    assert is_covered(policy, surplus, _held(rest))
    for each in chosen:
        assert not is_covered(policy, surplus, _held([*rest, each]))
    assert returns(policy, surplus, rest) == ()
    assert list(chosen) == _in_order(policy, surplus, debtors)


def _in_order(policy: Policy, surplus: Mapping[Role, Amount], debtors: list[Debtor]) -> list[Debtor]:
    """In the order of their ranks until the rest is covered, then without those that later ones made superfluous."""
    order = sorted(debtors, key=lambda debtor: (debtor.rank, debtor.id))
    fewest = next(n for n in range(len(order) + 1) if is_covered(policy, surplus, _held(order[n:])))
    chosen, stays = order[:fewest], order[fewest:]
    for each in reversed(order[:fewest]):
        if is_covered(policy, surplus, _held([*stays, each])):
            chosen.remove(each)
            stays.append(each)
    return chosen


def _held(debtors: list[Debtor]) -> dict[Role, Amount]:
    return by_role((each.role, each.amount) for each in debtors)


def test_a_thousand_loans_of_restricted_borrowers_are_decided_on_at_once() -> None:
    """Each decision asks for it, and an owner waits."""
    draw = random.Random(1)
    owners = tuple(Role(f"owner-{number}") for number in range(10))
    rules = {Role(f"r-{number}"): tuple(draw.sample(owners, 5)) for number in range(30)}
    debtors = [
        Debtor(str(n), Role(f"r-{n % 30}"), Amount(draw.randint(1, 9) * 100, draw.randint(1, 9)), (draw.randint(0, 2),))
        for n in range(1000)
    ]
    surplus = dict.fromkeys(owners, Amount(25_000, 250))
    began_s = time.process_time()
    chosen = returns(Policy(owners, rules), surplus, debtors)
    assert 300 < len(chosen) < 700
    assert time.process_time() - began_s < 0.3


def test_a_loan_that_cannot_return_counts_for_its_quota() -> None:
    policy, batch = Policy(OWNERS, {}, {Role("batch"): Quota(millicpus=2000)}), Role("batch")
    debtors = [Debtor("a", batch, Amount(1000), (0,)), Debtor("b", Role("batch/night"), Amount(1000), (1,))]
    surplus = {OWNERS[0]: Amount(9000)}
    assert returns(policy, surplus, debtors) == ()
    assert [each.id for each in returns(policy, surplus, debtors, {batch: Amount(1000)})] == ["a"]
    assert len(returns(policy, surplus, debtors, {Role("batch/night"): Amount(2500)})) == 2
    assert returns(policy, surplus, debtors, {Role("dev"): Amount(2500)}) == ()


def test_the_lowest_priority_returns_first_and_the_last_ranked_is_spared() -> None:
    policy, batch = Policy(OWNERS), Role("batch")
    debtors = [
        Debtor("valued", batch, Amount(1000), (10, 0)),
        Debtor("small", batch, Amount(500), (0, 5)),
        Debtor("young", batch, Amount(1000), (0, 0)),
        Debtor("old", batch, Amount(1000), (0, 60)),
    ]
    assert [each.id for each in returns(policy, {OWNERS[0]: Amount(3500)}, debtors)] == []
    assert [each.id for each in returns(policy, {OWNERS[0]: Amount(2500)}, debtors)] == ["young"]
    assert [each.id for each in returns(policy, {OWNERS[0]: Amount(1500)}, debtors)] == ["young", "old"]
    assert len(returns(policy, {}, debtors)) == 4


def test_a_borrower_that_is_allowed_elsewhere_is_not_the_victim() -> None:
    policy = Policy(OWNERS, {Role("batch"): (Role("spark"),), Role("dev"): (Role("*"),)})
    debtors = [Debtor("b", Role("batch"), Amount(1000), (0,)), Debtor("d", Role("dev/x"), Amount(1000), (5,))]
    surplus = {Role("spark"): Amount(1000), Role("eng"): Amount(1000)}
    assert returns(policy, surplus, debtors) == ()
    assert [each.id for each in returns(policy, {Role("eng"): Amount(2000)}, debtors)] == ["b"]
    assert [each.id for each in returns(policy, {Role("spark"): Amount(1000)}, debtors)] == ["b"]


def test_roles_below_a_role_share_its_quota() -> None:
    policy = Policy(OWNERS, {}, {Role("batch"): Quota(millicpus=1500)})
    debtors = [
        Debtor("a", Role("batch"), Amount(1000, 900), (1,)),
        Debtor("b", Role("batch/night"), Amount(1000, 900), (0,)),
        Debtor("c", Role("batches"), Amount(1000), (0,)),
    ]
    assert [each.id for each in returns(policy, {OWNERS[0]: Amount(9000, 9000)}, debtors)] == ["b"]


def test_the_nearest_role_above_is_the_owner() -> None:
    policy = Policy(OWNERS)
    assert policy.owner_of(Role("eng/db/x")) == "eng/db"
    assert policy.owner_of(Role("eng/web")) == "eng"
    assert policy.owner_of(Role("engine")) is None
