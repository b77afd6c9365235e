"""When this executor ends, and why: SHUTDOWN, a signal, a lost agent, victims that do not die, its last pod."""

from __future__ import annotations

import asyncio

from executor.mesos.events import Shutdown


class ExecutorEnd:
    """`grace_s` is what Mesos gives an executor to end. The first reason counts; one that gives it a time does so also
    when an idle executor is ending already.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._loop = asyncio.get_running_loop()
        self._shutdown: asyncio.Future[Shutdown] = self._loop.create_future()
        self._deadline: asyncio.Future[float] = self._loop.create_future()

    @property
    def has_begun(self) -> bool:
        """Whether a reason to end is known."""
        return self._shutdown.done()

    def begin(self, why: str) -> None:
        """End the executor as on SHUTDOWN."""
        self.take(Shutdown(self._grace_s, why))

    def take(self, shutdown: Shutdown) -> None:
        """The agent's SHUTDOWN, with its grace."""
        if not self._deadline.done():
            self._deadline.set_result(self._loop.time() + shutdown.grace_s)
        if not self._shutdown.done():
            self._shutdown.set_result(shutdown)

    def begin_idle(self, why: str) -> None:
        """End the executor because it has nothing to do. Nothing demands that, so there is time."""
        if not self._shutdown.done():
            self._shutdown.set_result(Shutdown(self._grace_s, why))

    async def wait(self) -> Shutdown:
        """Until it is to end."""
        return await asyncio.shield(self._shutdown)

    async def overdue(self, least_s: float) -> None:
        """Until the time of a demanded end is over, and for `least_s` after this call and the demand."""
        deadline = await asyncio.shield(self._deadline)
        await asyncio.sleep(max(least_s, deadline - self._loop.time()))
