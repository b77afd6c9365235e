"""What events and losses of the subscription mean: the I/O thread's decisions.

Invariants: Disconnected follows only on Subscribed; Shutdown comes at most once; an uuid is acknowledged at most once;
a LAUNCH that comes again is passed on as it is. Events leave through `emit`, in order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from executor.errors import MesosFailure
from executor.log import get_logger
from executor.mesos.environment import Environment
from executor.mesos.events import (
    Acknowledged,
    AgentError,
    Disconnected,
    Event,
    Heartbeat,
    Launch,
    Shutdown,
    Subscribed,
    Unknown,
    decode,
)
from executor.mesos.outbox import Outbox
from executor.mesos.reconnect import Reconnect

log = get_logger(__name__)

_CONTENT = "Failed to"
"""How the agent's word for a call that it cannot parse or validate begins (src/slave/http.cpp, executor)."""


class Session:
    def __init__(self, environment: Environment, outbox: Outbox, emit: Callable[[Event], None]) -> None:
        self._environment = environment
        self._outbox = outbox
        self._emit = emit
        self._reconnect = Reconnect(
            time.monotonic(),
            checkpoint=environment.checkpoint,
            recovery_timeout_s=environment.recovery_timeout_s,
            subscription_backoff_max_s=environment.subscription_backoff_max_s,
        )
        self._resubscribed = False
        self._shut_down = False
        self._refusal = ""
        self.subscribed = False

    def received(self, raw: Any) -> None:
        """One object of the event stream. Raises MesosFailure if it is not an event: the stream is to be dropped."""
        if not isinstance(raw, dict):
            raise MesosFailure("an event is not a JSON object", subject="event stream")
        event = decode(raw, shutdown_grace_s=self._environment.shutdown_grace_s)
        match event:
            case Heartbeat():
                return
            case Unknown(kind):
                log.warning("the agent sent an event of a type unknown here", code="mesos.event_unknown", text=kind)
                return
            case Subscribed():
                event = self._on_subscribed(event)
            case Acknowledged(uuid=uuid) if not self._outbox.acknowledged(uuid):
                return
            case Shutdown(why=why):
                self.shutdown(why)
                return
            case Launch(tasks=tasks):
                self._on_launch(tasks)
            case AgentError(message):
                log.error("the agent reports an error", code="mesos.agent_error", text=message)
        self._emit(event)

    def _on_subscribed(self, event: Subscribed) -> Subscribed:
        now_s = time.monotonic()
        away_ms = round(self._reconnect.away_s(now_s) * 1000)
        event = replace(event, resubscribed=self._resubscribed)
        self._resubscribed = self.subscribed = True
        self._refusal = ""
        self._reconnect.subscribed(now_s)
        log.info(
            "subscribed to the agent",
            code="mesos.subscribed",
            agent=self._environment.agent_id,
            resubscribed=event.resubscribed,
            unacknowledged=self._outbox.open(),
            attempt=self._reconnect.attempt + 1,
            duration_ms=away_ms,
        )
        return event

    def _on_launch(self, tasks: tuple[dict[str, Any], ...]) -> None:
        if repeated := self._outbox.launched(tasks):
            log.warning("the agent launches known tasks again", code="mesos.launch_repeated", tasks=repeated)

    def refused(self, status: int, text: str) -> None:
        """SUBSCRIBE was answered by another status than 200. A fault found is said once, however often it is tried.

        One that finds fault with the call's content may mean any of the updates that it carries: the next try carries
        them without what explains them.
        """
        refusal = f"{status} {text}"
        if status == 400 and text.startswith(_CONTENT):
            self._outbox.reduce_all()
        if status in {404, 503}:
            self._reconnect.answered()
        elif refusal != self._refusal:
            self._refusal = refusal
            log.error("the agent refuses to subscribe us", code="mesos.subscribe_refused", status=status, text=text)

    def lost(self, error: MesosFailure) -> float | None:
        """Seconds until the next try; None: gave up, and Shutdown has been emitted."""
        if self.subscribed:
            self.subscribed = False
            unacknowledged = len(self._outbox)
            log.warning("the agent is gone", code="mesos.disconnected", error=error, unacknowledged=unacknowledged)
            self._emit(Disconnected())
        delay_s = self._reconnect.lost(time.monotonic(), random.random())  # noqa: S311 spreads load, hides nothing
        if delay_s is None:
            self._give_up(error)
        else:
            log.debug("subscribing again", error=error, attempt=self._reconnect.attempt, delay_s=round(delay_s, 3))
        return delay_s

    def _give_up(self, error: MesosFailure) -> None:
        if self._environment.checkpoint:
            why = f"the agent was away for {self._reconnect.limit_s:g} s (MESOS_RECOVERY_TIMEOUT)"
        elif self._resubscribed:
            why = "the agent is gone and the framework does not checkpoint"
        else:
            why = f"the agent did not subscribe this executor within {self._reconnect.limit_s:g} s"
        log.error("the agent does not come back", code="mesos.abandoned", reason=why, error=error)
        self.shutdown(why)

    def shutdown(self, why: str) -> None:
        """Says once that this executor is to end."""
        if self._shut_down:
            return
        self._shut_down = True
        grace_s = self._environment.shutdown_grace_s
        log.info("this executor is to shut down", code="mesos.shutdown", reason=why, grace_s=grace_s)
        self._emit(Shutdown(grace_s, why))
