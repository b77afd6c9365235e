"""When this executor ends, and why: SHUTDOWN, a signal, a lost agent, victims that do not die, its last pod."""

from __future__ import annotations

import asyncio

from executor.mesos.events import Shutdown


class ExecutorEnd:
    """`grace_s` is what Mesos gives an executor to end. The first reason counts."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._shutdown: asyncio.Future[Shutdown] = asyncio.get_running_loop().create_future()

    @property
    def has_begun(self) -> bool:
        """Whether a reason to end is known."""
        return self._shutdown.done()

    def begin(self, why: str) -> None:
        """End the executor as on SHUTDOWN."""
        self.take(Shutdown(self._grace_s, why))

    def take(self, shutdown: Shutdown) -> None:
        """The agent's SHUTDOWN, with its grace."""
        if not self._shutdown.done():
            self._shutdown.set_result(shutdown)

    async def wait(self) -> Shutdown:
        """Until it is to end."""
        return await asyncio.shield(self._shutdown)
