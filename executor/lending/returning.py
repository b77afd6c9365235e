"""Asks executors to end the pods that must return, each in a thread of its own."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from executor.errors import ExecutorError, Failure, NotFound
from executor.lending.decision import Return
from executor.lending.node import ExecutorKey, Key
from executor.log import get_logger

log = get_logger(__name__)


@dataclass(frozen=True)
class Answered:
    """An executor has ended what it was asked for, but for tasks that do not die."""

    stuck: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Failed:
    """This executor could not be asked for these."""

    executor: ExecutorKey
    keys: tuple[Key, ...]


class Returning:
    """`revoke` sends a request to one executor and returns its receipt. `put` takes what comes of it."""

    def __init__(
        self,
        revoke: Callable[[ExecutorKey, Mapping[str, Any]], Mapping[str, Any]],
        put: Callable[[Any], None],
        grace_s: float,
    ) -> None:
        self._revoke, self._put, self._grace_s = revoke, put, grace_s
        self._asked: set[Key] = set()
        """Those of which an answer is waited for: a slow executor has one thread, however often it is wanted."""

    def begin(self, wanted: Return) -> None:
        """Returns at once."""
        keys = tuple(key for key in wanted.keys if key not in self._asked)
        if keys:
            self._asked.update(keys)
            only = replace(wanted, keys=keys)
            threading.Thread(target=self._return, args=(only,), name="lending return", daemon=True).start()

    def _return(self, wanted: Return) -> None:
        """Ask one executor. What comes of it is put into the inbox, and decided on there."""
        try:
            found = self._outcome(wanted)
        finally:
            self._asked.difference_update(wanted.keys)
        self._put(found)

    def _outcome(self, wanted: Return) -> Answered | Failed:
        body = {
            "id": f"lending-{uuid.uuid4().hex[:12]}",
            "reason": wanted.reason[:1000],
            "select": {"tasks": [task for _, task in wanted.keys]},
            "grace": f"{self._grace_s:g}s",
        }
        began_s = time.monotonic()
        try:
            receipt = _Receipt.of(self._revoke(wanted.executor, body))
        except NotFound:  # they have ended
            return Answered()
        except (ExecutorError, OSError) as error:
            log.warning(
                "an executor cannot be asked to return loans",
                code="lending.refused",
                executor=wanted.executor[1],
                error=error,
            )
            return Failed(wanted.executor, wanted.keys)
        log.info(
            "loans were returned",
            code="lending.freed",
            executor=wanted.executor[1],
            revocation=receipt.id,
            state=receipt.state,
            count=receipt.victims,
            freed_cpus=receipt.freed_cpus,
            duration_ms=round((time.monotonic() - began_s) * 1000, 1),
        )
        return Answered(tuple(key for key in wanted.keys if key[1] in receipt.stuck))


@dataclass(frozen=True)
class _Receipt:
    """As much of an executor's receipt as the lender needs."""

    id: str
    state: str
    victims: int
    stuck: frozenset[str]
    freed_cpus: float

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> _Receipt:
        """Raises Failure for what is not a receipt."""
        try:
            victims = document["victims"]
            stuck = frozenset(str(task) for each in victims if each["outcome"] == "stuck" for task in each["tasks"])
            cpus = float(document["freed"]["cpus"])
            return cls(str(document["id"]), str(document["state"]), len(victims), stuck, cpus)
        except (KeyError, TypeError, ValueError) as error:
            raise Failure(f"the receipt cannot be read: {error!r}", subject="receipt") from error
