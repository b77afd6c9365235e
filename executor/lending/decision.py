"""The input of a lender's book, and its decisions. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.lending.accounts import Entry
from executor.lending.amount import Amount
from executor.lending.node import ExecutorKey, Key
from executor.names import Role


@dataclass(frozen=True)
class Terms:
    """How much is offered. Times are seconds. `by_use` offers cpus that an owner's tasks hold and do not use."""

    grow_after_s: float = 30.0
    memory: bool = True
    by_use: bool = False
    margin_percent: float = 20.0
    half_life_s: float = 300.0
    grace_s: float = 0.0
    """What a pod has between notice and kill."""


@dataclass(frozen=True)
class Facts:
    """What an executor says of one revocable pod: see executor.revocation.selection."""

    pod: str
    priority: int = 0
    started_s: float = 0.0
    """By the monotonic clock of the book: what it has worked since then would be lost."""
    overshoot: float = 0.0
    ending: bool = False


@dataclass(frozen=True)
class Return:
    """Ask this executor to end these tasks."""

    executor: ExecutorKey
    keys: tuple[Key, ...]
    reason: str


@dataclass(frozen=True)
class Decision:
    offer: Amount
    returns: tuple[Return, ...] = ()
    entries: tuple[Entry, ...] = ()
    """What changed in the accounts; to be written before anything is done."""
    mixed: frozenset[ExecutorKey] = frozenset()
    """Executors with loans and with tasks that borrow nothing: see packaging/doc/lending.md, what can go wrong."""
    unreserved: frozenset[Role] = frozenset()
    """Owners that have nothing to lend, because nothing is reserved for them on this node."""
    unreachable: tuple[Key, ...] = ()
    """Loans that cannot be returned: of a command of Mesos' own executor, of an executor without an answer, stuck.
    Not those of an executor that has just been launched.
    """
