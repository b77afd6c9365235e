"""What is to be sent to the agent, shared by three threads.

The event loop puts updates and messages in, the I/O thread opens it with every subscription and settles what was
acknowledged, the sender takes one call at a time. Invariants: nothing is taken while there is no subscription; updates
go out in the order they were made; no method but `take` and `pause` waits. Owns the lock around Unacknowledged.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from executor.mesos.updates import Unacknowledged

Json = dict[str, Any]
MESSAGES_MAX = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One request of the executor API: its type and the field of that name."""

    type: str
    body: Json

    def of_update(self, field: str) -> Any:
        """A field of the status that an UPDATE carries; None for a MESSAGE."""
        return self.body.get("status", {}).get(field)


class Outbox:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._unacknowledged = Unacknowledged()
        self._messages: deque[Call] = deque()
        self._subscription = 0
        self._open = False
        self._closed = False

    def __len__(self) -> int:
        """Updates that the agent has not acknowledged."""
        with self._changed:
            return len(self._unacknowledged)

    @property
    def unsent(self) -> int:
        """Updates that the agent has not accepted."""
        with self._changed:
            return self._unacknowledged.unsent

    def put_update(self, status: Json) -> bool:
        """`status` (a TaskStatus as JSON) is sent until the agent acknowledges it. False as for Unacknowledged.add."""
        with self._changed:
            self._changed.notify_all()
            return self._unacknowledged.add(status)

    def put_message(self, body: Json) -> bool:
        """False if the oldest message had to make room: messages are best effort in Mesos, memory is not endless."""
        with self._changed:
            self._messages.append(Call("MESSAGE", body))
            self._changed.notify_all()
            if len(self._messages) <= MESSAGES_MAX:
                return True
            self._messages.popleft()
            return False

    def launched(self, tasks: Iterable[Json]) -> list[str]:
        """Ids of the tasks that had been launched before."""
        with self._changed:
            return self._unacknowledged.launched(tasks)

    def acknowledged(self, uuid: str) -> bool:
        """False if this update was settled before."""
        with self._changed:
            return self._unacknowledged.acknowledged(uuid) is not None

    def carry(self) -> tuple[dict[str, Json], dict[str, Json]]:
        """As Unacknowledged.carry, for the SUBSCRIBE that is about to be sent."""
        with self._changed:
            return self._unacknowledged.carry()

    def open(self) -> int:
        """The agent subscribed us; returns the number of unacknowledged updates."""
        with self._changed:
            self._open = True
            self._subscription += 1
            self._changed.notify_all()
            return len(self._unacknowledged)

    def hold(self) -> None:
        """The subscription is gone: what is not accepted by now goes with the next SUBSCRIBE."""
        with self._changed:
            self._open = False

    def close(self) -> None:
        """`take` returns None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> Call | None:
        """Waits for a call that can be sent; None once closed. The call stays first until `sent` or `drop`."""
        with self._changed:
            while not self._closed:
                if self._open and (call := self._next()) is not None:
                    return call
                self._changed.wait()
            return None

    def _next(self) -> Call | None:
        status = self._unacknowledged.next_unsent()
        if status is not None:
            return Call("UPDATE", {"status": status})
        return self._messages[0] if self._messages else None

    def sent(self, call: Call) -> None:
        """The agent accepted it. An update is now waiting to be acknowledged."""
        with self._changed:
            if call.type == "UPDATE":
                self._unacknowledged.sent(call.of_update("uuid"))
            else:
                self._forget_message(call)

    def reduce(self, call: Call) -> bool:
        """The agent refuses an update as it is: the next try is without what explains it. False as for
        Unacknowledged.reduce.
        """
        with self._changed:
            return call.type == "UPDATE" and self._unacknowledged.reduce(call.of_update("uuid"))

    def reduce_all(self) -> None:
        """The agent refuses a SUBSCRIBE that carries updates, and one of them may be the reason."""
        with self._changed:
            self._unacknowledged.reduce_all()

    def drop(self, call: Call) -> None:
        """The agent will never accept it."""
        with self._changed:
            if call.type == "UPDATE":
                self._unacknowledged.drop(call.of_update("uuid"))
            else:
                self._forget_message(call)

    def _forget_message(self, call: Call) -> None:
        if self._messages and self._messages[0] is call:
            self._messages.popleft()

    def pause(self, delay_s: float) -> None:
        """Waits, but not past a new subscription or the end."""
        with self._changed:
            before = self._subscription
            self._changed.wait_for(lambda: self._closed or self._subscription != before, delay_s)
