"""Which role may borrow from which, how much, and which loans must be returned. Pure.

Borrowers and owners are roles, each with those below it. Loans are covered as a flow from the surplus of owners to
borrowers, for each resource alone. What cannot be covered is returned: the fewest loans, by priority and lost work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from executor.lending.amount import NOTHING, Amount, total
from executor.names import Role
from executor.revocation.selection import within

Share = tuple[Role, Role]
"""An owner and a borrower."""


@dataclass(frozen=True)
class Quota:
    """What a borrower may hold at once; None: as much as there is."""

    millicpus: int | None = None
    mem_mib: int | None = None

    def covers(self, amount: Amount) -> bool:
        """Whether it allows as much."""
        cpus = self.millicpus is None or amount.millicpus <= self.millicpus
        return cpus and (self.mem_mib is None or amount.mem_mib <= self.mem_mib)


@dataclass(frozen=True)
class Policy:
    """`borrowers` has the owners of each borrowing role, `*` for all; empty: each role may borrow from each owner."""

    owners: tuple[Role, ...]
    borrowers: Mapping[Role, tuple[Role, ...]] = field(default_factory=lambda: MappingProxyType({}))
    quotas: Mapping[Role, Quota] = field(default_factory=lambda: MappingProxyType({}))

    def owner_of(self, role: Role) -> Role | None:
        """The owner that a reservation or an allocation belongs to: the nearest one above it, or the role itself."""
        return _nearest(role, self.owners)

    def lenders(self, borrower: Role) -> tuple[Role, ...]:
        """The owners that `borrower` may borrow from. An owner's own tasks may borrow too."""
        if not self.borrowers:
            return self.owners
        entry = _nearest(borrower, self.borrowers)
        allowed = self.borrowers[entry] if entry is not None else ()
        return self.owners if Role("*") in allowed else tuple(each for each in self.owners if each in allowed)

    def within_quotas(self, held: Mapping[Role, Amount]) -> bool:
        """Whether no borrower, with the roles below it, holds more than its quota."""
        return all(
            quota.covers(total(amount for role, amount in held.items() if within(role, top)))
            for top, quota in self.quotas.items()
        )


def _nearest(role: Role, tops: Iterable[Role]) -> Role | None:
    above = [top for top in tops if within(role, top)]
    return max(above, key=len) if above else None


def by_role(loans: Iterable[tuple[Role, Amount]]) -> dict[Role, Amount]:
    """The sum for each borrower."""
    held: dict[Role, Amount] = {}
    for role, amount in loans:
        held[role] = held.get(role, NOTHING) + amount
    return held


def is_covered(policy: Policy, surplus: Mapping[Role, Amount], held: Mapping[Role, Amount]) -> bool:
    """Whether quotas allow what borrowers hold, and the owners' surplus covers it."""
    if not policy.within_quotas(held):
        return False
    if all(set(policy.lenders(role)) == set(policy.owners) for role in held):
        return total(surplus.values()).covers(total(held.values()))
    parts = shares(policy, surplus, held)
    return total(parts.values()).covers(total(held.values()))


def shares(policy: Policy, surplus: Mapping[Role, Amount], held: Mapping[Role, Amount]) -> dict[Share, Amount]:
    """Who lends how much to whom: as much of `held` as the surplus covers. The same input gives the same answer."""
    cpus = _flow(policy, {role: a.millicpus for role, a in surplus.items()}, {r: a.millicpus for r, a in held.items()})
    memory = _flow(policy, {role: a.mem_mib for role, a in surplus.items()}, {r: a.mem_mib for r, a in held.items()})
    return {key: Amount(cpus.get(key, 0), memory.get(key, 0)) for key in sorted(cpus.keys() | memory.keys())}


def _flow(policy: Policy, supply: Mapping[Role, int], demand: Mapping[Role, int]) -> dict[Share, int]:
    """A greatest flow (Edmonds and Karp): a borrower that finds its owners used up moves others to owners of theirs."""
    left, flow = dict(supply), dict[Share, int]()
    for borrower in sorted(demand):
        wanted = demand[borrower]
        while wanted > 0 and (path := _path(policy, left, flow, borrower)):
            pushed = min(wanted, left[path[-1][0]], *(flow[owner, other] for (owner, _), (_, other) in _moves(path)))
            for (owner, _), (_, other) in _moves(path):
                flow[owner, other] -= pushed
            for owner, taker in path:
                flow[owner, taker] = flow.get((owner, taker), 0) + pushed
            left[path[-1][0]] -= pushed
            wanted -= pushed
    return {share: amount for share, amount in flow.items() if amount > 0}


def _moves(path: Sequence[Share]) -> Iterable[tuple[Share, Share]]:
    """Neighbours: the owner of the first was the one of the second's borrower, which moves to the second's owner."""
    return pairwise(path)


def _path(policy: Policy, left: Mapping[Role, int], flow: Mapping[Share, int], borrower: Role) -> list[Share]:
    """The shortest one from `borrower` to an owner with something left; empty if there is none."""
    paths: list[list[Share]] = [[]]
    seen: set[Role] = set()
    while paths:
        longer: list[list[Share]] = []
        steps = (
            (path, taker, owner)
            for path in paths
            for taker in _takers(flow, path, borrower)
            for owner in policy.lenders(taker)
        )
        for path, taker, owner in steps:
            if owner not in seen:
                seen.add(owner)
                longer.append([*path, (owner, taker)])
        if found := next((path for path in longer if left.get(path[-1][0], 0) > 0), None):
            return found
        paths = longer
    return []


def _takers(flow: Mapping[Share, int], path: Sequence[Share], borrower: Role) -> list[Role]:
    if not path:
        return [borrower]
    owner = path[-1][0]
    return sorted(taker for (lender, taker), amount in flow.items() if lender == owner and amount > 0)


@dataclass(frozen=True)
class Debtor:
    """A pod, or a task that no executor knows as a pod yet: what returns as a whole. The least `rank` returns first."""

    id: str
    role: Role
    amount: Amount
    rank: tuple[float, ...] = ()


def returns(policy: Policy, surplus: Mapping[Role, Amount], debtors: Sequence[Debtor]) -> tuple[Debtor, ...]:
    """Who must return what it borrowed, so that the surplus covers the others: in the order of their ranks until that
    is so, then without those that the later ones made superfluous, the last-ranked spared first.
    """
    held = by_role((each.role, each.amount) for each in debtors)
    chosen: list[Debtor] = []
    for each in sorted(debtors, key=lambda debtor: (debtor.rank, debtor.id)):
        if is_covered(policy, surplus, held):
            break
        chosen.append(each)
        held[each.role] = held[each.role].beyond(each.amount)
    for each in reversed(chosen.copy()):
        spared = {**held, each.role: held[each.role] + each.amount}
        if is_covered(policy, surplus, spared):
            chosen.remove(each)
            held = spared
    return tuple(chosen)
