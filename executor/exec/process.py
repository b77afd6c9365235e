"""One further process in a container, as containerd has it: made, started, waited for, and always removed.

It has the user, environment, capabilities and limits of the container's first process. Should the executor end before
it, it goes with its container. A shim that hangs holds no caller up: a start that its caller gives up ends later.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from executor.concurrency import to_the_end
from executor.errors import ContainerdUnavailable, ExecutorError
from executor.log import get_logger

if TYPE_CHECKING:
    from executor.containerd.tasks import Tasks
    from executor.exec.fifos import Fifos
    from executor.exec.late import LateStarts
    from executor.names import ContainerId

log = get_logger(__name__)

LATE_S: Final = 60.0
"""How long a shim that was late may take to end the process again."""
_LOOK_AGAIN_S: Final = 0.2
_HINT: Final = "the program must be in the container's image, and in its PATH unless it is named by its path"


def new_id(purpose: str) -> str:
    """An id for containerd that no other process of the container has; `purpose` is a word such as `exec`."""
    return f"{purpose}-{uuid.uuid4().hex[:12]}"


def process_spec(first: Mapping[str, Any], argv: tuple[str, ...]) -> dict[str, object]:
    """The OCI process that runs `argv` as the container's `first` process runs, without a terminal. Pure."""
    process = {key: value for key, value in first.items() if key not in ("terminal", "consoleSize")}
    return {**process, "args": list(argv)}


class ContainerProcess:
    """`fifos` are its streams. `end` must follow on every path."""

    def __init__(
        self, tasks: Tasks, container: ContainerId, identity: str, fifos: Fifos, late_starts: LateStarts
    ) -> None:
        self.id = identity
        self.container = container
        self.fifos = fifos
        self.running = False
        self._tasks, self._late_starts = tasks, late_starts
        self._starting: asyncio.Task[int] | None = None

    async def start(self, process: Mapping[str, object], *, terminal: bool = False) -> int:
        """Its pid. `process` is the OCI document's. Raises ContainerdFailure, with a hint where there is no such
        program, and TimedOut while the shim has not answered many earlier ones. A caller may cancel it.
        """
        self._late_starts.check(self.container)
        self._starting = asyncio.ensure_future(self._start(process, terminal=terminal))
        return await asyncio.shield(self._starting)

    async def _start(self, process: Mapping[str, object], *, terminal: bool) -> int:
        await self._tasks.exec(self.container, self.id, process, terminal=terminal, **self.fifos.paths)
        self.running = True
        try:
            return await self._tasks.start(self.container, exec_id=self.id)
        except ExecutorError as error:
            self.running = False
            error.hint = error.hint or _HINT
            raise

    async def wait(self) -> int:
        """Its exit code: 128 + the signal for one that was killed. A containerd that restarts meanwhile is waited for.
        Raises ContainerdFailure.
        """
        while True:
            try:
                status = await self._tasks.wait(self.container, exec_id=self.id)
            except ContainerdUnavailable:
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            self.running = False
            return status.exit_status

    async def end(self, limit_s: float) -> None:
        """SIGKILL if it runs, and remove it and its streams. Output that was not read is dropped. What fails, or takes
        longer than `limit_s`, is left to the removal of the container. If it is being started still, its end comes
        after that, and is not waited for.
        """
        if self._starting is not None and not self._starting.done():
            self._late_starts.take(self.container, self._end_late(self._starting))
        else:
            await to_the_end(self._end(limit_s))

    async def _end_late(self, starting: asyncio.Task[int]) -> None:
        """The FIFOs stay until the shim answers: without them it starts the process, and then does not know it."""
        with contextlib.suppress(ExecutorError):  # its caller has given up; what could not be made needs no end
            await starting
        await self._end(LATE_S)

    async def _end(self, limit_s: float) -> None:
        """The shim removes a process only when its output is copied, so that it is read meanwhile."""
        self.fifos.read(_drop)
        try:
            async with asyncio.timeout(limit_s):
                if self.running:
                    await self._tasks.kill(self.container, signal.SIGKILL, exec_id=self.id)
                    await self.wait()
                if self._starting is not None:
                    await self._tasks.delete(self.container, exec_id=self.id)
        except (ExecutorError, TimeoutError) as error:
            log.debug("the record of a process could not be removed; it goes with its container", error=error)
        finally:
            self.fifos.remove()


def _drop(_: bytes) -> None:
    """Output that is not read."""
