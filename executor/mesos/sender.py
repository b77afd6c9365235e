"""The thread that posts updates and messages, one at a time.

Invariants: no other thread waits for the agent's answers; a call is tried until the agent accepts it, refuses it for
good, or SUBSCRIBE carries it instead; one bad call never ends the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

from executor.errors import MesosFailure
from executor.log import get_logger
from executor.mesos.outbox import Call, Outbox

log = get_logger(__name__)

RETRY_MIN_S = 0.05
RETRY_MAX_S = 1.0

Post = Callable[[Call], tuple[int, str]]
"""Sends a call; returns HTTP status and body. Raises MesosFailure if there was no answer."""


class Verdict(Enum):
    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"


def judge(status: int) -> Verdict:
    """What the agent's answer means for a call (src/slave/http.cpp, src/executor/executor.cpp).

    503: recovering. 404: its routes are not there yet. 403: it restarted, and the call was faster than our next
    SUBSCRIBE. 401 finds fault with who calls. Everything else in 4xx finds fault with the call itself.
    """
    if 200 <= status < 300:
        return Verdict.ACCEPTED
    not_yet = status in {401, 403, 404, 408, 429}
    return Verdict.LATER if not_yet or not 400 <= status < 500 else Verdict.REFUSED


class Sender(threading.Thread):
    """`settled` is called after an update was dropped, in this thread."""

    def __init__(self, outbox: Outbox, post: Post, settled: Callable[[], None]) -> None:
        super().__init__(name="mesos-sender", daemon=True)
        self._outbox = outbox
        self._post = post
        self._settled = settled
        self._failures = 0

    def run(self) -> None:
        """The thread: until the outbox is closed."""
        while (call := self._outbox.take()) is not None:
            try:
                status, text = self._post(call)
            except MesosFailure as error:
                self._retry_later(call, error)
            else:
                self._answered(call, status, text)

    def _answered(self, call: Call, status: int, text: str) -> None:
        verdict = judge(status)
        if verdict is Verdict.LATER:
            self._retry_later(call, MesosFailure(f"HTTP {status}: {text}", subject=call.type))
            return
        self._failures = 0
        if verdict is Verdict.ACCEPTED:
            self._outbox.sent(call)
            return
        reduced = self._outbox.reduce(call)
        if not reduced:
            self._outbox.drop(call)
        log.error(
            "the agent refuses a call",
            code="mesos.update_reduced"
            if reduced
            else ("mesos.update_refused" if call.type == "UPDATE" else "mesos.message_refused"),
            status=status,
            text=text,
            task=call.of_update("task_id"),
            state=call.of_update("state"),
            update=call.of_update("uuid"),
        )
        self._settled()

    def _retry_later(self, call: Call, error: MesosFailure) -> None:
        # The first retry comes at once: mostly it was a kept connection that the agent had closed.
        delay_s = min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(self._failures - 1, 10)) if self._failures else 0.0
        self._failures += 1
        log.debug("a call failed", method=call.type, update=call.of_update("uuid"), attempt=self._failures, error=error)
        if self._failures == 2:
            log.warning(
                "the agent does not take a call; it is kept",
                code="mesos.call_delayed",
                method=call.type,
                task=call.of_update("task_id"),
                state=call.of_update("state"),
                error=error,
            )
        self._outbox.pause(delay_s)
