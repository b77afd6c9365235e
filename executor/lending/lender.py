"""The lender of a node: hears, decides by its book, writes the ledger, and acts: the offer to the agent, questions to
executors. One thread decides, everything that waits for another process is done by others.

It may be killed at any moment: the ledger, the agent's state and the executors' answers bring the next one to where it
was. Owns the lock of its directory, the ledger, the status file.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.errors import Failure, MesosFailure, NotFound
from executor.lending import feeds, status
from executor.lending.accounts import Entry, Kind
from executor.lending.amount import Amount
from executor.lending.book import Book
from executor.lending.decision import Decision
from executor.lending.files import alone, notify, read, write
from executor.lending.ledger import Ledger
from executor.lending.node import ExecutorKey, Key
from executor.lending.offering import Offering
from executor.lending.returning import Answered, Failed, Returning
from executor.log import get_logger
from executor.names import Role

if TYPE_CHECKING:
    from executor.mesos.operator import Operator
    from executor.mesos.provider import Provider

log = get_logger(__name__)

_PROVIDER: Final = "provider"
HEARD_MAX: Final = 1000
TICK_S: Final = 1.0
"""The offer grows, and systemd gets a sign of the lender, at least this often."""


@dataclass(frozen=True)
class Stop:
    """The process is to end: it got this signal."""

    number: int


@dataclass(frozen=True)
class Peers:
    """Everything outside of the lender's process. `revoke` sends a request to one executor and returns its receipt,
    `look` returns what each executor that answers says of its revocable pods.
    """

    agent: Operator
    masters: Sequence[Operator]
    provider: Provider
    revoke: Callable[[ExecutorKey, Mapping[str, Any]], Mapping[str, Any]]
    containers: Sequence[Path]
    """Directories in which each of the agent's containers has one."""
    look: Callable[[], Mapping[ExecutorKey, Sequence[Mapping[str, Any]]]]


class Lender:
    """`directory` keeps what must survive it, `status_file` what `mesos-pod-executor lending` shows."""

    def __init__(
        self, book: Book, peers: Peers, directory: Path, status_file: Path, *, interval_s: float, grace_s: float
    ) -> None:
        self._book, self._peers, self._directory, self._status_file = book, peers, directory, status_file
        self._interval_s = interval_s
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ledger = Ledger(directory)
        self._agent = feeds.AgentFeed(peers.agent, self._inbox.put, interval_s)
        self._master = feeds.MasterFeed(peers.masters, lambda: self._agent.id, self._inbox.put)
        self._executors = feeds.ExecutorFeed(peers.look, self._inbox.put)
        self._offer = Offering(peers.provider)
        self._returning = Returning(peers.revoke, self._inbox.put, grace_s)
        self._subscribed = False
        self._causes: dict[str, str] = {}
        """Why a source did not answer when it was asked last."""
        self._reported: frozenset[Key] = frozenset()
        self._mixed: frozenset[ExecutorKey] = frozenset()
        self._unreserved: frozenset[Role] = frozenset()
        self._shown_s = 0.0
        self._is_written = True

    def run(self) -> int:
        """Until SIGTERM or SIGINT, which it returns. Raises Refused where another lender runs on this node, Failure."""
        with alone(self._directory):
            self._book.accounts = self._ledger.open()
            self._peers.provider.id = read(self._directory / _PROVIDER)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda number, _: self._inbox.put(Stop(number)))
            log.info("the lender starts", code="lending.started", count=len(self._book.accounts.open))
            self._follow("agent", self._agent.ask)
            self._follow("master", self._master.follow)
            self._follow("executors", self._executors.ask)
            self._follow("resource provider", self._provide)
            self._follow("containers", feeds.ContainerFeed(self._peers.containers, self._agent).look)
            self._follow("offer", self._offer.send)
            if self._book.terms.by_use:
                use = feeds.UseFeed(self._peers.agent, self._agent, self._inbox.put, self._interval_s)
                self._follow("use", use.ask)
            try:
                return self._loop()
            finally:
                self._status_file.unlink(missing_ok=True)

    def _follow(self, name: str, work: Callable[[], None]) -> None:
        feeds.forever(name, work, self._inbox.put)

    def _loop(self) -> int:
        notify("READY=1")
        while True:
            notify("WATCHDOG=1")
            heard = [*self._wait()]
            if stops := [each for each in heard if isinstance(each, Stop)]:
                log.info("the lender ends; its offer is withdrawn", code="lending.ended")
                return stops[0].number
            for each in heard:
                self._take(each)
            self._act(self._book.decide(time.monotonic(), time.time()))

    def _wait(self) -> Iterator[Any]:
        """What has come, so much at most that a decision is never far."""
        with contextlib.suppress(queue.Empty):
            yield self._inbox.get(timeout=min(self._interval_s, TICK_S))
            for _ in range(HEARD_MAX):
                yield self._inbox.get_nowait()

    def _take(self, heard: Any) -> None:
        now_s = time.monotonic()
        self._note_cause(heard)
        match heard:
            case feeds.Stated(state, asked_s):
                self._book.take_state(state, asked_s, now_s)
            case feeds.Added(task):
                self._book.take_added(task, now_s)
                self._agent.wake.set()  # it may start an executor with resources of its own
            case feeds.Ended(key):
                self._book.take_ended(key, now_s)
            case feeds.Master(there):
                self._book.master = self._agent.is_followed = there
                self._agent.wake.set()  # tasks may have come in between
            case feeds.Known(facts, answered):
                self._book.take_facts(facts, answered)
            case feeds.Subscribed(there, identity):
                self._take_subscription(identity, there=there)
            case feeds.Used(rates):
                self._book.take_use(rates, now_s)
            case Answered(stuck):
                self._book.take_stuck(stuck)
                self._agent.wake.set()
            case Failed(executor, keys):
                self._book.take_failure(executor, keys)

    def _note_cause(self, heard: Any) -> None:
        """Why a source did not answer, until it does."""
        match heard:
            case feeds.Behind("agent" | "master" | "resource provider" as source, cause):
                self._causes[source] = cause
            case feeds.Stated():
                self._causes.pop("agent", None)
            case feeds.Master(there=True):
                self._causes.pop("master", None)
            case feeds.Subscribed(there=True):
                self._causes.pop("resource provider", None)

    def _take_subscription(self, identity: str, *, there: bool) -> None:
        self._subscribed = there
        self._offer.forget()
        if there:
            log.info("the resource provider is subscribed", code="lending.subscribed", what=identity)
            try:
                write(self._directory / _PROVIDER, identity)
            except Failure as error:
                self._tell_unwritten(error)

    def _act(self, decision: Decision) -> None:
        """The accounts first: what is done is known then, wherever the process is killed."""
        self._write_entries(decision.entries)
        for wanted in decision.returns:
            self._returning.begin(wanted)
        if self._subscribed and self._offer.put(decision.offer):
            log.info("the offer changes", code="lending.offer", **_amount(decision.offer))
        if self._book.wants_facts():
            self._executors.wake.set()
        self._tell(decision)
        if decision.entries or time.monotonic() - self._shown_s >= 1:
            self._shown_s = time.monotonic()
            provider = self._peers.provider.id
            document = status.document(
                self._book, decision, subscribed=self._subscribed, provider=provider, causes=self._causes
            )
            with contextlib.suppress(Failure):  # the disk of /run is full: every executor reports it
                write(self._status_file, json.dumps(document))

    def _write_entries(self, entries: Sequence[Entry]) -> None:
        try:
            self._ledger.append(entries, self._book.accounts)
            self._is_written = True
        except Failure as error:
            self._tell_unwritten(error)
        for entry in entries:
            framework, task = entry.key
            if entry.kind is Kind.BORROWED:
                log.info(
                    "a task borrows", code="lending.borrowed", framework=framework, task=task, role=entry.role,
                    executor=entry.executor, **_amount(entry.amount),
                )  # fmt: skip
            elif entry.kind is Kind.ASKED:
                log.info(
                    "a loan is asked back", code="lending.asked", framework=framework, task=task, reason=entry.reason
                )
            else:
                log.info("a loan is returned", code="lending.returned", framework=framework, task=task)

    def _tell_unwritten(self, error: Failure) -> None:
        if self._is_written:
            log.warning("the ledger cannot be written", code="lending.unwritten", error=error)
        self._is_written = False

    def _tell(self, decision: Decision) -> None:
        """What an operator should change, each once."""
        keys = frozenset(decision.unreachable)
        for framework, executor in sorted(decision.mixed - self._mixed):
            log.warning(
                "an executor with loans has regular tasks", code="lending.mixed", framework=framework, executor=executor
            )
        self._mixed = decision.mixed
        for role in sorted(decision.unreserved - self._unreserved):
            log.warning("an owner has no reservation on this node", code="lending.unreserved", role=role)
        self._unreserved = decision.unreserved
        for framework, task in sorted(keys - self._reported):
            log.warning("a loan cannot be asked back", code="lending.unreachable", framework=framework, task=task)
        self._reported = keys

    # --- in threads of their own

    def _provide(self) -> None:
        """One subscription of the resource provider. Raises MesosFailure."""
        self._agent.wait()
        provider = self._peers.provider
        if subscribed := [each for each in self._peers.agent.providers() if each.type == provider.kind]:
            message = f"the agent still has a subscription of the provider {subscribed[0].id.value}"
            raise MesosFailure(message, subject=provider.endpoint, hint="only one lender may run on a node")
        try:
            for event in provider.events():
                if event == "SUBSCRIBED":
                    self._inbox.put(feeds.Subscribed(there=True, identity=provider.id))
        except NotFound:
            provider.id = ""
        finally:
            self._inbox.put(feeds.Subscribed(there=False))


def _amount(amount: Amount) -> dict[str, Any]:
    return {"cpus": amount.cpus, "mem_bytes": amount.mem_bytes}
