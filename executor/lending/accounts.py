"""Who borrowed how much, since when, and how fast it came back: entries of a ledger, and what they add up to. Pure.

The accounts are nothing but the sum of the entries, in their order. An entry that says what is known already (a loan
that is open is borrowed, a loan that is closed is returned) changes nothing: so each loan is opened once and returned
once, however often a lender is killed and the same is written again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from executor.lending.amount import MIB, NOTHING, Amount
from executor.lending.node import NO_ROLE, Key
from executor.names import ExecutorId, FrameworkId, Role, TaskId

CLOSED_MAX: Final = 1000
"""Returned loans that are remembered."""
ROLES_MAX: Final = 1000
"""Roles with totals of their own; of more, all others are counted under `*`."""
AT_MAX_S: Final = 253402300800.0
"""The year 10000 begins: the calendar of Python ends."""

NO_KEY: Final = FrameworkId(""), TaskId("")
NO_EXECUTOR: Final = ExecutorId("")


class Kind(StrEnum):
    BORROWED = "borrowed"
    ASKED = "asked"
    """The lender asked its executor to return it."""
    RETURNED = "returned"
    TOTALS = "totals"
    """What was added up before the ledger's file began."""


@dataclass(frozen=True)
class Loan:
    """What one task borrowed. Times are seconds since the epoch, None for what has not happened."""

    key: Key
    executor: ExecutorId
    role: Role
    amount: Amount
    since_s: float
    asked_s: float | None = None
    reason: str = ""
    """Why it was asked to return."""
    returned_s: float | None = None

    @property
    def took_ms(self) -> float | None:
        """From the question to the return; None for a loan that was not asked for, or is still open."""
        if self.asked_s is None or self.returned_s is None:
            return None
        return max(0.0, (self.returned_s - self.asked_s) * 1000)


@dataclass(frozen=True)
class Totals:
    """The sums of one borrowing role, over all loans that were returned. `asked`: how many of them were asked for."""

    loans: int = 0
    asked: int = 0
    cpu_s: float = 0.0
    """Cpus times seconds."""

    def plus(self, loan: Loan, until_s: float) -> Totals:
        """With one more returned loan."""
        cpu_s = loan.amount.cpus * max(0.0, until_s - loan.since_s)
        return Totals(self.loans + 1, self.asked + (loan.asked_s is not None), self.cpu_s + cpu_s)


NO_TOTALS: Final = Totals()


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    kind: Kind
    at_s: float
    key: Key = NO_KEY
    executor: ExecutorId = NO_EXECUTOR
    role: Role = NO_ROLE
    amount: Amount = NOTHING
    reason: str = ""
    totals: Totals = NO_TOTALS


@dataclass
class Accounts:
    open: dict[Key, Loan] = field(default_factory=dict)
    closed: deque[Loan] = field(default_factory=lambda: deque(maxlen=CLOSED_MAX))
    totals: dict[Role, Totals] = field(default_factory=dict)

    def apply(self, entry: Entry) -> bool:
        """Whether the entry changed anything."""
        loan = self.open.get(entry.key)
        match entry.kind:
            case Kind.TOTALS:
                self.totals[entry.role] = entry.totals
            case Kind.BORROWED if loan is None:
                self.open[entry.key] = Loan(entry.key, entry.executor, entry.role, entry.amount, entry.at_s)
            case Kind.ASKED if loan is not None and loan.asked_s is None:
                self.open[entry.key] = replace(loan, asked_s=entry.at_s, reason=entry.reason)
            case Kind.RETURNED if loan is not None:
                del self.open[entry.key]
                self.closed.append(replace(loan, returned_s=entry.at_s))
                role = loan.role if loan.role in self.totals or len(self.totals) < ROLES_MAX else NO_ROLE
                self.totals[role] = self.totals.get(role, NO_TOTALS).plus(loan, entry.at_s)
            case _:
                return False
        return True

    def opening(self) -> Iterator[Entry]:
        """The entries that a new file begins with: they add up to these accounts, but for the loans returned."""
        for role, totals in self.totals.items():
            yield Entry(Kind.TOTALS, 0.0, role=role, totals=totals)
        for loan in self.open.values():
            yield Entry(Kind.BORROWED, loan.since_s, loan.key, loan.executor, loan.role, loan.amount)
            if loan.asked_s is not None:
                yield Entry(Kind.ASKED, loan.asked_s, loan.key, reason=loan.reason)


def added_up(entries: Iterable[Entry]) -> Accounts:
    """The accounts that these entries make."""
    accounts = Accounts()
    for entry in entries:
        accounts.apply(entry)
    return accounts


def document(entry: Entry) -> dict[str, Any]:
    """As a JSON line has it."""
    head: dict[str, Any] = {"entry": entry.kind, "at": round(entry.at_s, 3)}
    if entry.kind is Kind.TOTALS:
        totals = entry.totals
        return head | {"role": entry.role, "loans": totals.loans, "asked": totals.asked, "cpu_s": totals.cpu_s}
    head |= {"framework": entry.key[0], "task": entry.key[1]}
    if entry.kind is Kind.BORROWED:
        return head | {"executor": entry.executor, "role": entry.role, **entry.amount.document()}
    return head | ({"reason": entry.reason} if entry.kind is Kind.ASKED else {})


def parse(line: Mapping[str, Any]) -> Entry | None:
    """An entry from its JSON; None for what this version does not understand."""
    try:
        kind, at_s = Kind(line["entry"]), float(line["at"])
        if not 0 <= at_s < AT_MAX_S:  # not a number neither
            return None
        if kind is Kind.TOTALS:
            totals = Totals(int(line["loans"]), int(line["asked"]), float(line["cpu_s"]))
            if not (totals.loans >= totals.asked >= 0 and 0 <= totals.cpu_s < math.inf):
                return None
            return Entry(kind, at_s, role=Role(str(line["role"])), totals=totals)
        key = FrameworkId(str(line["framework"])), TaskId(str(line["task"]))
        if kind is not Kind.BORROWED:
            return Entry(kind, at_s, key, reason=str(line.get("reason", "")))
        amount = Amount.held(float(line["cpus"]), float(line["mem_bytes"]) / MIB)
        return Entry(kind, at_s, key, ExecutorId(str(line["executor"])), Role(str(line["role"])), amount)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
