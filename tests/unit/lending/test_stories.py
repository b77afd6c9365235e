"""Any story of a node: the lender is killed at any time, the master comes and goes, borrowers take what is offered."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from executor.lending.accounts import Entry, Kind, added_up
from executor.lending.amount import NOTHING, Amount, total
from executor.lending.book import Book
from executor.lending.node import Key, NodeState, Task
from tests.unit.lending.nodes import NODE, POLICY, SPARK, TERMS, loan, owned


class Lending(RuleBasedStateMachine):
    """A node with an owner and borrowers that take what is offered, a lender that is killed at any time, and a master
    that comes and goes. Borrowers accept offers as the allocator gives them, executors obey late.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.number = 0
        self.tasks: dict[Key, Task] = {}
        self.lines: list[Entry] = []
        self.offer = NOTHING
        self.ending: set[Key] = set()
        self.ever: dict[Key, int] = {}
        self.start()

    def start(self) -> None:
        self.book = Book(POLICY, TERMS, added_up(self.lines))
        self.ask()

    def ask(self) -> None:
        self.book.take_state(
            NodeState(NODE.agent, NODE.total, NODE.reserved, tuple(self.tasks.values())), self.now_s, self.now_s
        )

    def borrowed(self) -> Amount:
        return total(task.holding.borrowed for task in self.tasks.values())

    @rule(passed_s=st.floats(0.1, 7))
    def time(self, passed_s: float) -> None:
        self.now_s += passed_s
        self.ask()

    @rule(cpus=st.integers(1, 4000))
    def borrow(self, cpus: int) -> None:
        """Only what the offer leaves, as the allocator sees it."""
        room = self.offer.beyond(self.borrowed())
        if cpus > room.millicpus:
            return
        self.number += 1
        task = loan(f"loan-{self.number}", cpus)
        self.tasks[task.key] = task
        if self.book.master:
            self.book.take_added(task, self.now_s)

    @rule(cpus=st.integers(1, 4000), heard=st.booleans())
    def demand(self, cpus: int, heard: bool) -> None:
        used = total(amount for task in self.tasks.values() for amount in task.holding.reserved.values())
        if used.millicpus + cpus > NODE.reserved[SPARK].millicpus:
            return
        self.number += 1
        task = owned(f"own-{self.number}", cpus)
        self.tasks[task.key] = task
        if heard and self.book.master:
            self.book.take_added(task, self.now_s)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), heard=st.booleans())
    def end(self, data: st.DataObject, heard: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.tasks)))
        del self.tasks[key]
        if heard and self.book.master:
            self.book.take_ended(key, self.now_s)

    @precondition(lambda self: self.ending)
    @rule()
    def obey(self) -> None:
        for key in self.ending:
            self.tasks.pop(key, None)
        self.ask()
        self.ending &= set(self.book.tasks)  # an announced task that ended unheard is known for a while

    @rule(there=st.booleans())
    def master(self, there: bool) -> None:
        self.book.master = there

    @rule(written=st.booleans())
    def crash(self, written: bool) -> None:
        """Before the entries were written, or after that and before anything was done."""
        self.ask()
        decision = self.book.decide(self.now_s, 1e9 + self.now_s)
        if written:
            self.lines += decision.entries
        self.start()

    @invariant()
    def decide(self) -> None:
        decision = self.book.decide(self.now_s, 1e9 + self.now_s)
        self.lines += decision.entries
        for entry in decision.entries:
            if entry.kind is not Kind.ASKED:
                step = 1 if entry.kind is Kind.BORROWED else -1
                self.ever[entry.key] = self.ever.get(entry.key, 0) + step
        self.ending |= {key for each in decision.returns for key in each.keys}
        known = self.book.tasks
        surplus = total(self.book.surplus(known.values()).values())
        assert surplus.covers(decision.offer) and NODE.total.covers(surplus)
        if not self.book.master:
            held = total(task.holding.borrowed for task in known.values())
            assert held.covers(decision.offer)
        open_loans = {key for key, task in known.items() if task.holding.borrowed}
        assert set(self.book.accounts.open) == open_loans
        stay = total(known[key].holding.borrowed for key in open_loans - self.ending)
        assert surplus.covers(stay)
        again = self.book.decide(self.now_s, 1e9 + self.now_s)
        assert (again.returns, again.entries, again.offer) == ((), (), decision.offer)
        assert added_up(self.lines).open.keys() == open_loans
        self.offer = decision.offer


TestLending = Lending.TestCase
