"""An agent's executor API that fails by a seed, and what its status update manager keeps: each update once, by uuid.

    agent = FaultyAgent(seed); async with agent: ...; await agent.calm_down()

Its HTTP interface answers 307, 403, 404, 500 and 503, hangs, answers late, and breaks connections before and after it
has taken a call. It loses, repeats and delays acknowledgements, drops the event stream, and dies and comes back. What
it has taken stays: a real agent has written it down.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.scripted_agent import (
    CHUNKED,
    Answer,
    Json,
    Request,
    ScriptedAgent,
    Subscription,
    acknowledged,
    chunk,
    http,
    welcome,
)

_REFUSALS: tuple[Answer, ...] = (
    (307, ""),
    (403, "Executor is not subscribed"),
    (404, ""),
    (500, ""),
    (503, "Agent has not finished recovery"),
)
_CALL_FAULTS = ("refuse", "reset", "hang", "reset after", "refuse after", "late", "late after")
_GREETINGS = ("refuse", "reset", "hang", "garbage", "half")
_RATE = 0.3
_LONGEST_S = 0.05
_HANG_S = 0.15


class FaultyAgent:
    """`record` has every update that was taken, in order, by task. `on_taken` sees each at that moment."""

    def __init__(self, seed: int, on_taken: Callable[[Json], None] = lambda _: None) -> None:
        self.agent = ScriptedAgent(greet=self._greet, answer=self._answer)
        self.record: dict[str, list[Json]] = {}
        self.faults: list[str] = []
        self._on_taken = on_taken
        self._chance = random.Random(seed)
        self._taken = set[str]()
        self._calm = False
        self._stream: Subscription | None = None
        self._work = set[asyncio.Task[None]]()
        self._chaos: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.agent.start()
        self._chaos = asyncio.create_task(self._break_things())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._chaos, *self._work):
            if task is not None:
                task.cancel()
        await self.agent.die()

    async def calm_down(self) -> None:
        """No faults from now on. One last loss of the stream: what was lost before comes again."""
        self._calm = True
        if self._chaos is not None:
            await self._chaos
        if self._stream is not None:
            self._stream.reset()

    # --- its interface ---------------------------------------------------------------------------------------

    async def _greet(self, subscription: Subscription) -> None:
        fault = self._fault(_GREETINGS)
        match fault:
            case "refuse":
                await subscription.write(http(*self._chance.choice(_REFUSALS)))
                return
            case "reset":
                subscription.reset()
                return
            case "hang":
                self._later(_HANG_S, subscription.reset)
                return
            case "garbage":
                await subscription.write(CHUNKED + chunk(b"not recordio"))
                return
            case "half":
                self._take(*subscription.unacknowledged_updates[:1])
                subscription.reset()
                return
        self._stream = subscription
        self._take(*subscription.unacknowledged_updates)
        await welcome(subscription)
        for status in subscription.unacknowledged_updates:
            self._acknowledge(status)

    async def _answer(self, request: Request) -> Answer:
        fault = self._fault(_CALL_FAULTS)
        match fault:
            case "refuse":
                return self._chance.choice(_REFUSALS)
            case "reset":
                raise ConnectionResetError
            case "hang":
                await self._hang()
            case "late":
                await asyncio.sleep(self._chance.uniform(0, _LONGEST_S))
        self._take(request.status)
        self._acknowledge(request.status)
        match fault:
            case "reset after":
                raise ConnectionResetError
            case "refuse after":
                return 500, ""
            case "late after":
                await asyncio.sleep(self._chance.uniform(0, _LONGEST_S))
        return 202, ""

    async def _hang(self) -> None:
        """Until the stream breaks: the executor gives up such a call."""
        await asyncio.sleep(_HANG_S)
        if self._stream is not None:
            self._stream.reset()
        raise ConnectionResetError

    def _take(self, *statuses: Json) -> None:
        for status in statuses:
            if status["uuid"] not in self._taken:
                self._on_taken(status)
                self._taken.add(status["uuid"])
                self.record.setdefault(status["task_id"]["value"], []).append(status)

    def _acknowledge(self, status: Json) -> None:
        """On the stream there is then: lost, twice, now or later."""
        fault = self._fault(("lost", "twice", "later"))
        if fault == "lost":
            return
        for _ in range(2 if fault == "twice" else 1):
            self._later(self._chance.uniform(0, _LONGEST_S) if fault == "later" else 0.0, self._send, status)

    def _send(self, status: Json) -> None:
        if self._stream is not None and not self._stream.writer.is_closing():
            work = asyncio.ensure_future(self._stream.send(acknowledged(status)))
            work.add_done_callback(lambda done: done.exception())

    # --- faults ----------------------------------------------------------------------------------------------

    def _fault(self, kinds: tuple[str, ...]) -> str:
        if self._calm or self._chance.random() >= _RATE:
            return ""
        self.faults.append(self._chance.choice(kinds))
        return self.faults[-1]

    def _later(self, delay_s: float, call: Callable[..., None], *arguments: object) -> None:
        async def wait() -> None:
            await asyncio.sleep(delay_s)
            with contextlib.suppress(OSError):
                call(*arguments)

        task = asyncio.create_task(wait())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _break_things(self) -> None:
        """The stream breaks now and then, or the agent dies and comes back."""
        while not self._calm:
            if self._chance.random() < 0.3:
                self.faults.append("death")
                await self.agent.die()
                await asyncio.sleep(self._chance.uniform(0, 0.1))
                await self.agent.start()
            elif self._stream is not None:
                self.faults.append("stream")
                self._stream.reset()
            await asyncio.sleep(self._chance.uniform(0.02, 0.15))
