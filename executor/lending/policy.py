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

    def within_quotas(self, borrower: Role, held: Mapping[Role, Amount]) -> bool:
        """Whether every quota above `borrower` allows what all below it hold."""
        quotas = ((top, quota) for top, quota in self.quotas.items() if within(borrower, top))
        return all(quota.covers(self.below(top, held)) for top, quota in quotas)

    @staticmethod
    def below(top: Role, held: Mapping[Role, Amount]) -> Amount:
        """What a role holds, with those below it."""
        return total(amount for role, amount in held.items() if within(role, top))


def _nearest(role: Role, tops: Iterable[Role]) -> Role | None:
    above = [top for top in tops if within(role, top)]
    return max(above, key=len) if above else None


def by_role(loans: Iterable[tuple[Role, Amount]]) -> dict[Role, Amount]:
    """The sum for each borrower."""
    held: dict[Role, Amount] = {}
    for role, amount in loans:
        held[role] = held.get(role, NOTHING) + amount
    return held


def shares(policy: Policy, surplus: Mapping[Role, Amount], held: Mapping[Role, Amount]) -> dict[Share, Amount]:
    """How much each owner lends to each role: as much of `held` as the surplus covers. Deterministic."""
    flows = _flows(policy, surplus)
    for borrower in sorted(held):
        flows[0].push(borrower, held[borrower].millicpus)
        flows[1].push(borrower, held[borrower].mem_mib)
    cpus, memory = (flow.parts() for flow in flows)
    return {key: Amount(cpus.get(key, 0), memory.get(key, 0)) for key in sorted(cpus.keys() | memory.keys())}


def _flows(policy: Policy, surplus: Mapping[Role, Amount]) -> tuple[_Flow, _Flow]:
    """An empty flow of cpus, and one of memory."""
    cpus = _Flow(policy, {role: amount.millicpus for role, amount in surplus.items()})
    return cpus, _Flow(policy, {role: amount.mem_mib for role, amount in surplus.items()})


class _Flow:
    """A greatest flow of one resource from owners to borrowers (Edmonds and Karp), which grows by one borrower at a
    time: a borrower that finds its owners used up moves others to owners of theirs.
    """

    def __init__(self, policy: Policy, supply: Mapping[Role, int]) -> None:
        self._policy, self._left = policy, {owner: amount for owner, amount in supply.items() if amount > 0}
        self._lent: dict[Role, dict[Role, int]] = {}
        """What each owner lends to each borrower: no zeros."""
        self._lenders: dict[Role, tuple[Role, ...]] = {}

    def parts(self) -> dict[Share, int]:
        """How much each owner lends to each role."""
        return {(owner, taker): part for owner, parts in self._lent.items() for taker, part in parts.items()}

    def push(self, borrower: Role, wanted: int) -> int:
        """Lend to `borrower` as much of it as can be, which is returned. What others have stays as much."""
        missing = wanted
        while missing > 0 and (path := self._path(borrower)):
            last, _ = path[-1]
            pushed = min(missing, self._left[last], *(self._lent[owner][taker] for owner, taker in _moved(path)))
            for owner, taker in _moved(path):
                self._add(owner, taker, -pushed)
            for owner, taker in path:
                self._add(owner, taker, pushed)
            self._left[last] -= pushed
            if not self._left[last]:
                del self._left[last]
            missing -= pushed
        return wanted - missing

    def take_back(self, borrower: Role, amount: int) -> None:
        """The opposite of `push`, of what it pushed."""
        for owner in self._of(borrower):
            part = min(amount, self._lent.get(owner, {}).get(borrower, 0))
            if part > 0:
                self._add(owner, borrower, -part)
                self._left[owner] = self._left.get(owner, 0) + part
                amount -= part

    def _add(self, owner: Role, taker: Role, amount: int) -> None:
        parts = self._lent.setdefault(owner, {})
        parts[taker] = parts.get(taker, 0) + amount
        if not parts[taker]:
            del parts[taker]

    def _of(self, borrower: Role) -> tuple[Role, ...]:
        """The owners that it may borrow from."""
        if borrower not in self._lenders:
            self._lenders[borrower] = self._policy.lenders(borrower)
        return self._lenders[borrower]

    def _path(self, borrower: Role) -> list[Share]:
        """The shortest one from `borrower` to an owner with something left; empty if there is none."""
        paths: list[list[Share]] = [[]]
        seen: set[Role] = set()
        while paths and self._left:
            longer: list[list[Share]] = []
            for path in paths:
                for taker in sorted(self._lent.get(path[-1][0], ())) if path else (borrower,):
                    for owner in self._of(taker):
                        if owner not in seen:
                            seen.add(owner)
                            longer.append([*path, (owner, taker)])
            if found := next((path for path in longer if path[-1][0] in self._left), None):
                return found
            paths = longer
        return []


def _moved(path: Sequence[Share]) -> list[Share]:
    """What the borrowers on the path give up: each but the first one moves from the owner before to its own."""
    return [(owner, taker) for (owner, _), (_, taker) in pairwise(path)]


@dataclass(frozen=True)
class Debtor:
    """A pod, or a task that no executor knows as a pod yet: what returns as a whole. The least `rank` returns first."""

    id: str
    role: Role
    amount: Amount
    rank: tuple[float, ...] = ()


def returns(
    policy: Policy,
    surplus: Mapping[Role, Amount],
    debtors: Sequence[Debtor],
    kept: Mapping[Role, Amount] = MappingProxyType({}),
) -> tuple[Debtor, ...]:
    """Who must return what it borrowed, so that the surplus covers the others, in the order of their ranks: the
    last-ranked stay first, each that its quotas and the surplus still allow. So none returns that need not.

    `kept` are loans that cannot return: they count for quotas, and the surplus is without them already.
    """
    cpus, memory = _flows(policy, surplus)
    held = {top: policy.below(top, kept) for top in policy.quotas}
    chosen: list[Debtor] = []
    for each in sorted(debtors, key=lambda debtor: (debtor.rank, debtor.id), reverse=True):
        with_it = {top: amount + each.amount for top, amount in held.items() if within(each.role, top)}
        fits = all(policy.quotas[top].covers(amount) for top, amount in with_it.items())
        if fits and _lend(cpus, memory, each):
            held |= with_it
        else:
            chosen.append(each)
    return tuple(reversed(chosen))


def _lend(cpus: _Flow, memory: _Flow, debtor: Debtor) -> bool:
    """All that it has borrowed, or nothing."""
    role, amount = debtor.role, debtor.amount
    pushed = cpus.push(role, amount.millicpus), memory.push(role, amount.mem_mib)
    if pushed == (amount.millicpus, amount.mem_mib):
        return True
    cpus.take_back(role, pushed[0])
    memory.take_back(role, pushed[1])
    return False
