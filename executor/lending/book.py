"""The lender's decisions: what is offered, and which loans are asked to return. Pure: time is an argument.

`decide` is called after each change and returns what is to be done; deciding twice without a change does nothing twice.
Times are seconds of one monotonic clock; those of accounts are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from executor.lending import node, rules
from executor.lending import policy as policies
from executor.lending.accounts import Accounts, Entry, Kind, Loan
from executor.lending.amount import NOTHING, Amount, total
from executor.lending.decision import Decision, Facts, Return, Terms
from executor.lending.node import ExecutorKey, Key, NodeState, Task
from executor.lending.peak import Peak
from executor.lending.policy import Debtor, Policy
from executor.lending.window import Window
from executor.names import Role

ANNOUNCED_S: Final = 30.0
"""How long the master's word for a task holds against an agent that does not know it: a launch may be lost."""
RETRY_S: Final = 5.0
"""A loan that is still held this long after its grace is asked for again: its executor may have been restarting."""
STARTING_S: Final = 30.0
"""How long after its launch an executor may be on its way: until then, a loan that cannot be asked back is normal."""
STEP_MILLICPUS: Final = 100
"""What an owner does not use is offered in such steps: each change of the offer rescinds what is out."""
REASON_S: Final = 30.0
"""How long an owner's new task is named as the reason."""


@dataclass
class Book:
    """`accounts` are those of the ledger. Nothing is offered before the first state of the agent."""

    policy: Policy
    terms: Terms
    accounts: Accounts = field(default_factory=Accounts)
    master: bool = False
    """Whether the master announces tasks now. While it does not, the offer is what is borrowed already."""
    state: NodeState | None = None
    window: Window | None = None
    peaks: dict[Role, Peak] = field(default_factory=dict)
    _announced: dict[Key, tuple[Task, float]] = field(default_factory=dict)
    _ended: dict[Key, float] = field(default_factory=dict)
    """When the master said that a task ended: an older answer of the agent may still have it."""
    _facts: dict[Key, Facts] = field(default_factory=dict)
    _asked: dict[Key, float] = field(default_factory=dict)
    _deaf: set[ExecutorKey] = field(default_factory=set)
    """Executors that could not be asked. Their loans stay, and others return in their place."""
    _answered: set[ExecutorKey] = field(default_factory=set)
    """Executors with tasks here that have answered once."""
    _stuck: set[Key] = field(default_factory=set)
    """Tasks that do not die."""
    _demand: dict[Role, tuple[Key, float]] = field(default_factory=dict)

    # --- what is heard

    def take_state(self, state: NodeState, asked_s: float, now_s: float) -> None:
        """The agent's answer to a question of `asked_s`."""
        ended = {key for key, at_s in self._ended.items() if at_s >= asked_s}
        tasks = tuple(task for task in state.tasks if task.key not in ended)
        if self.state is not None:  # in the first answer, which task came last is not known
            before = self.tasks
            for task in tasks:
                if task.key not in before:
                    self._take_demand(task, now_s)
        self.state = replace(state, tasks=tasks)
        known = {task.key for task in state.tasks}
        self._announced = {
            key: (task, at_s)
            for key, (task, at_s) in self._announced.items()
            if key not in known and at_s + ANNOUNCED_S > now_s
        }
        self._ended = {key: at_s for key, at_s in self._ended.items() if at_s >= asked_s}
        there = {each.executor_key for each in self.tasks.values()}
        self._deaf &= there
        self._answered &= there

    def take_added(self, task: Task, now_s: float) -> None:
        """The master announces a task of this node."""
        self._ended.pop(task.key, None)
        self._announced[task.key] = task, now_s
        self._take_demand(task, now_s)

    def _take_demand(self, task: Task, now_s: float) -> None:
        """A new task is the reason for what its owner takes back from now on."""
        self._demand |= dict.fromkeys(self._owners([task]), (task.key, now_s))

    def _owners(self, tasks: Iterable[Task]) -> set[Role]:
        """The owners whose reservations these tasks hold."""
        roles = {role for task in tasks for role in task.holding.reserved}
        return {owner for role in roles if (owner := self.policy.owner_of(role)) is not None}

    def take_ended(self, key: Key, now_s: float) -> None:
        """The master says that a task of this node ended."""
        self._announced.pop(key, None)
        if self.state is not None:
            self.state = replace(self.state, tasks=tuple(task for task in self.state.tasks if task.key != key))
        self._ended[key] = now_s

    def take_facts(self, facts: Mapping[Key, Facts], answered: Collection[ExecutorKey]) -> None:
        """Take the facts about all revocable pods of the executors that answered."""
        self._deaf -= set(answered)
        self._answered |= set(answered)
        self._facts = {**{key: each for key, each in self._facts.items() if key in self.accounts.open}, **facts}

    def take_use(self, rates: Mapping[ExecutorKey, float], now_s: float) -> None:
        """Thousandths of a cpu that each executor's container uses now."""
        held, used = self._held(), dict[Role, float]()
        for key, holding in (self.state.executors if self.state else {}).items():
            if (owner := self.policy.owner_of(holding.role)) is not None:
                used[owner] = used.get(owner, 0.0) + rates.get(key, holding.regular.millicpus)
        for owner in self.policy.owners:
            peak = self.peaks.get(owner, Peak(at_s=now_s))
            sample = peak.sample(held.get(owner, 0), used.get(owner, 0.0), now_s, self.terms.half_life_s)
            self.peaks[owner] = sample

    def take_failure(self, executor: ExecutorKey, keys: Iterable[Key]) -> None:
        """This executor could not be asked for these. It is asked again once it has answered another question."""
        self._deaf.add(executor)
        for key in keys:
            self._asked.pop(key, None)

    def take_stuck(self, keys: Iterable[Key]) -> None:
        """These tasks do not die: others return in their place."""
        self._stuck |= set(keys) & self.accounts.open.keys()

    # --- what is known

    @property
    def tasks(self) -> dict[Key, Task]:
        """All that live on the node, or are about to."""
        found = {key: task for key, (task, _) in self._announced.items()}
        return found | {task.key: task for task in (self.state.tasks if self.state else ())}

    def wants_facts(self) -> bool:
        """Whether executors should be asked soon: a loan's pod is not known, or one of them did not answer."""
        unknown = (loan.executor and key not in self._facts for key, loan in self.accounts.open.items())
        return bool(self._deaf) or any(unknown)

    def surplus(self, tasks: Iterable[Task]) -> dict[Role, Amount]:
        """What each owner can lend now, no more than the node has."""
        if self.state is None:
            return dict.fromkeys(self.policy.owners, NOTHING)
        left, found = self.state.total, {}
        for owner, amount in node.surplus(self.policy, self.state, tasks).items():
            if self.terms.by_use and owner in self.peaks:
                spare = self.peaks[owner].spare(self.terms.margin_percent)
                amount += Amount(spare // STEP_MILLICPUS * STEP_MILLICPUS)  # noqa: PLW2901 # the sum is meant
            amount = amount.least(left)  # noqa: PLW2901
            left = left.beyond(amount)
            found[owner] = amount if self.terms.memory else Amount(amount.millicpus)
        return found

    def shares(self) -> dict[policies.Share, Amount]:
        """How much each owner lends to each role now."""
        tasks = self.tasks
        return policies.shares(self.policy, self.surplus(tasks.values()), self._borrowed(tasks))

    def _borrowed(self, tasks: Mapping[Key, Task]) -> dict[Role, Amount]:
        """By role, with what executors hold themselves."""
        loans = [(task.holding.role, task.holding.borrowed) for task in tasks.values() if task.holding.borrowed]
        return policies.by_role([*self._fixed(), *loans])

    def _fixed(self) -> list[tuple[Role, Amount]]:
        """Borrowed by executors themselves: it returns when they end, which they decide."""
        holdings = self.state.executors.values() if self.state else ()
        return [(each.role, each.borrowed) for each in holdings if each.borrowed]

    def _held(self) -> dict[Role, int]:
        """Thousandths of a cpu that the tasks and executors of each owner hold, without what they borrowed."""
        held: dict[Role, int] = {}
        executors = self.state.executors.values() if self.state else ()
        for holding in (*(task.holding for task in self.tasks.values()), *executors):
            if (owner := self.policy.owner_of(holding.role)) is not None:
                held[owner] = held.get(owner, 0) + holding.regular.millicpus
        return held

    # --- what is decided

    def decide(self, now_s: float, wall_s: float) -> Decision:
        """What is to be offered and returned now."""
        if self.state is None:
            return Decision(NOTHING)
        tasks = self.tasks
        entries = self._settle(tasks, wall_s)
        surplus = self.surplus(tasks.values())
        borrowed = total(self._borrowed(tasks).values())
        sample = total(surplus.values())
        if not self.master:
            sample = sample.least(borrowed)
        window = self.window or Window(borrowed)
        self.window = window.sample(sample, now_s, self.terms.grow_after_s)
        chosen = self._choose(tasks, surplus, now_s)
        returns = self._returns(chosen, tasks, now_s)
        asked = [Entry(Kind.ASKED, wall_s, key, reason=each.reason) for each in returns for key in each.keys]
        entries += [entry for entry in asked if self.accounts.apply(entry)]
        lost = tuple(key for key, loan in self.accounts.open.items() if self._is_lost(tasks[key], loan, wall_s))
        mixed = node.mixed(tasks.values())
        return Decision(self.window.offer, returns, tuple(entries), mixed, self._unreserved(self.state), lost)

    def _unreserved(self, state: NodeState) -> frozenset[Role]:
        """Owners without a reservation on this node. By use, an owner lends what its tasks hold, reserved or not."""
        if self.terms.by_use:
            return frozenset()
        return frozenset(self.policy.owners) - {self.policy.owner_of(role) for role in state.reserved}

    def _settle(self, tasks: Mapping[Key, Task], wall_s: float) -> list[Entry]:
        """Loans that began and ended since the last time."""
        gone = [Entry(Kind.RETURNED, wall_s, key) for key in self.accounts.open if key not in tasks]
        new = [
            Entry(Kind.BORROWED, wall_s, key, task.executor, task.holding.role, task.holding.borrowed)
            for key, task in tasks.items()
            if task.holding.borrowed and key not in self.accounts.open
        ]
        entries = [entry for entry in (*gone, *new) if self.accounts.apply(entry)]
        for entry in gone:
            self._asked.pop(entry.key, None)
            self._facts.pop(entry.key, None)
            self._stuck.discard(entry.key)
        return entries

    def _choose(
        self, tasks: Mapping[Key, Task], surplus: Mapping[Role, Amount], now_s: float
    ) -> list[tuple[Debtor, tuple[Key, ...]]]:
        stays = [loan for key, loan in self.accounts.open.items() if self._stays(tasks[key])]
        kept = policies.by_role((loan.role, loan.amount) for loan in stays)
        fixed = policies.by_role([*self._fixed(), *kept.items()])
        covered = policies.shares(self.policy, surplus, fixed)
        left = {
            owner: amount.beyond(total(part for (lender, _), part in covered.items() if lender == owner))
            for owner, amount in surplus.items()
        }
        pods: dict[str, list[Loan]] = {}
        for key, loan in self.accounts.open.items():
            if not self._stays(tasks[key]) and not self._is_returning(key, now_s):
                facts = self._facts.get(key)
                pods.setdefault(facts.pod if facts else " ".join(key), []).append(loan)
        debtors = {
            Debtor(name, loans[0].role, total(loan.amount for loan in loans), self._rank(loans, now_s)): tuple(
                loan.key for loan in loans
            )
            for name, loans in pods.items()
        }
        return [(each, debtors[each]) for each in policies.returns(self.policy, left, list(debtors), kept)]

    def _stays(self, task: Task) -> bool:
        """Whether the lender can do nothing about it."""
        return not task.executor or task.executor_key in self._deaf or task.key in self._stuck

    def _is_lost(self, task: Task, loan: Loan, wall_s: float) -> bool:
        """Whether the lender can do nothing about it, and not because its executor may not be there yet."""
        is_new = task.executor_key not in self._answered and loan.since_s + STARTING_S > wall_s
        is_starting = bool(task.executor) and task.key not in self._stuck and is_new
        return self._stays(task) and not is_starting

    def _is_returning(self, key: Key, now_s: float) -> bool:
        asked_s = self._asked.get(key)
        return asked_s is not None and asked_s + self.terms.grace_s + RETRY_S > now_s

    def _rank(self, loans: Collection[Loan], now_s: float) -> tuple[float, ...]:
        """Those that were asked already come first: a lender that starts again takes no others in their place. So do
        those that end, however long their own grace is. Then as in executor.revocation.selection: priority, minutes
        of work that would be lost, memory beyond requests.
        """
        known = [facts for loan in loans if (facts := self._facts.get(loan.key))]
        goes = any(loan.asked_s is not None for loan in loans) or any(facts.ending for facts in known)
        if not known:
            return not goes, 0, 0, 0
        first = known[0]
        return not goes, first.priority, max(0.0, now_s - first.started_s) // 60, -first.overshoot

    def _returns(
        self, chosen: Iterable[tuple[Debtor, tuple[Key, ...]]], tasks: Mapping[Key, Task], now_s: float
    ) -> tuple[Return, ...]:
        found: dict[tuple[ExecutorKey, str], list[Key]] = {}
        held = policies.by_role((loan.role, loan.amount) for loan in self.accounts.open.values())
        for debtor, keys in chosen:
            reason = self._reason(debtor, held, now_s)
            for key in keys:
                self._asked[key] = now_s
                found.setdefault((tasks[key].executor_key, reason), []).append(key)
        return tuple(Return(executor, tuple(keys), reason) for (executor, reason), keys in found.items())

    def _reason(self, debtor: Debtor, held: Mapping[Role, Amount], now_s: float) -> str:
        """For the receipt: whose task needs it, or which rule was broken."""
        if broken := rules.broken(self.policy, debtor.role, held):
            return broken
        recent = [(at_s, owner, key) for owner, (key, at_s) in self._demand.items() if at_s + REASON_S > now_s]
        if recent:
            _, owner, (framework, task) = max(recent)
            return f"role {owner} needs its resources for task {task} of framework {framework}"
        owners = self._owners(self.tasks.values()) or self.policy.owners
        return f"the owners need their resources: {', '.join(sorted(owners))}"
