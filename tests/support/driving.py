"""A driver under test, connected to a scripted agent, in the test's event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from executor.mesos.driver import Driver
from executor.mesos.events import Event
from executor.mesos.status import TaskState, status
from executor.names import TaskId
from tests.support.scripted_agent import ScriptedAgent

E = TypeVar("E", bound=Event)
TIMEOUT_S = 10.0


class Watched:
    """A driver whose events come one by one."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._events = aiter(driver.events())
        self._waiting: asyncio.Future[Event] | None = None

    async def next(self, kind: type[E]) -> E:
        """The next event, which must be of this kind."""
        event = await self._next(TIMEOUT_S)
        assert isinstance(event, kind), event
        return event

    async def quiet(self, seconds: float = 0.1) -> bool:
        """Whether nothing comes in this time. An event that does is the next one all the same."""
        with contextlib.suppress(TimeoutError):
            await self._next(seconds, take=False)
        return self._waiting is not None and not self._waiting.done()

    async def _next(self, timeout_s: float, *, take: bool = True) -> Event:
        self._waiting = self._waiting or asyncio.ensure_future(anext(self._events))
        event = await asyncio.wait_for(asyncio.shield(self._waiting), timeout_s)
        if take:
            self._waiting = None
        return event

    async def close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)

    def update(self, task_id: str = "t", state: TaskState = TaskState.RUNNING, **fields: Any) -> None:
        self.driver.update(status(TaskId(task_id), state, **fields))


@contextlib.asynccontextmanager
async def driving(agent: ScriptedAgent, **environment: Any) -> AsyncIterator[Watched]:
    """`environment`: fields of Environment that differ."""
    async with Driver(agent.environment(**environment)) as driver:
        watched = Watched(driver)
        try:
            yield watched
        finally:
            await watched.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 the condition is another thread's
            await asyncio.sleep(0.005)
