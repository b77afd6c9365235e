"""Everything that a scheduler was told, in order, with waiting for what comes next. Thread-safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self, TypeVar

from tests.support.mesos.http import Message
from tests.support.mesos.messages import TERMINAL
from tests.support.patience import patient

T = TypeVar("T")


class UnexpectedError(AssertionError):
    """Mesos did something else than the test waited for; the message ends with the history."""


@dataclass(frozen=True)
class Event:
    """`at_s` is the wall clock when it was read; `body` the whole event."""

    at_s: float
    type: str
    body: Message


@dataclass(frozen=True)
class Status:
    """A task status update; `raw` is the whole TaskStatus."""

    at_s: float
    task_id: str
    state: str
    reason: str
    message: str
    source: str
    raw: Message

    @classmethod
    def of(cls, event: Event) -> Self:
        raw = event.body["update"]["status"]
        reason, message, source = (raw.get(key, "") for key in ("reason", "message", "source"))
        return cls(event.at_s, raw["task_id"]["value"], raw["state"], reason, message, source, raw)

    def __str__(self) -> str:
        return f"{self.at_s:.3f} {self.task_id} {self.state} {self.source} {self.reason} {self.message!r}"


class History:
    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        """Held while the history or anything that depends on it is changed."""
        self.events: list[Event] = []

    def mark(self) -> int:
        """For `start=` of the waiting functions: only what comes after this counts."""
        return len(self.events)

    def statuses(self, task_id: str | None = None, *, start: int = 0) -> list[Status]:
        with self.changed:
            updates = [Status.of(event) for event in self.events[start:] if event.type == "UPDATE"]
        return [status for status in updates if task_id in (None, status.task_id)]

    def states(self, task_id: str) -> list[str]:
        return [status.state for status in self.statuses(task_id)]

    def wait(self, condition: Callable[[], T | None], timeout_s: float, what: Callable[[], str]) -> T:
        """The first value of `condition` that is neither None nor False; asked after every change."""
        deadline = time.monotonic() + patient(timeout_s)
        with self.changed:
            while not (value := condition()):
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise UnexpectedError(f"{what()} in {timeout_s} s:\n{self}")
                self.changed.wait(left_s)
            return value

    def wait_status(
        self, task_id: str, states: str | Collection[str], timeout_s: float = 20.0, *, start: int = 0
    ) -> Status:
        """The first update of the task with one of `states`; UnexpectedError at another terminal one, or in the end."""
        wanted = {states} if isinstance(states, str) else set(states)

        def look() -> Status | None:
            for status in self.statuses(task_id, start=start):
                if status.state in wanted:
                    return status
                if status.state in TERMINAL:
                    raise UnexpectedError(f"{task_id} became {status.state}, not {wanted}:\n{self}")
            return None

        return self.wait(look, timeout_s, lambda: f"{task_id} did not become {wanted}")

    def wait_event(
        self,
        kind: str,
        matches: Callable[[Message], bool] = lambda body: True,
        timeout_s: float = 20.0,
        *,
        start: int = 0,
    ) -> Event:
        """The first event of this type whose body satisfies `matches`."""

        def look() -> Event | None:
            found = (event for event in self.events[start:] if event.type == kind and matches(event.body))
            return next(found, None)

        return self.wait(look, timeout_s, lambda: f"no {kind} event came")

    def __str__(self) -> str:
        return "\n".join(map(_line, self.events[-60:]))


def _line(event: Event) -> str:
    return str(Status.of(event)) if event.type == "UPDATE" else f"{event.at_s:.3f} {event.type}"
