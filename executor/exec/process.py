"""One further process in a container, as containerd has it: made, started, waited for, and always removed.

It has the user, environment, capabilities and limits of the container's first process. Should the executor end before
it, it goes with its container.
"""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from executor.concurrency import to_the_end
from executor.errors import ContainerdUnavailable, ExecutorError
from executor.log import get_logger

if TYPE_CHECKING:
    from pathlib import Path

    from executor.containerd.tasks import Tasks
    from executor.names import ContainerId

log = get_logger(__name__)

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
    """`end` must follow, whatever happens in between."""

    def __init__(self, tasks: Tasks, container: ContainerId, identity: str) -> None:
        self.id = identity
        self.container = container
        self.running = False
        self._tasks = tasks
        self._made = False

    async def start(self, process: Mapping[str, object], streams: Mapping[str, Path], *, terminal: bool = False) -> int:
        """Its pid. `process` is the OCI document's. Raises ContainerdFailure, with a hint where there is no such
        program.
        """
        await to_the_end(self._make(process, streams, terminal=terminal))
        self.running = True  # also where the caller is cancelled meanwhile
        try:
            return await to_the_end(self._tasks.start(self.container, exec_id=self.id))
        except ExecutorError as error:
            self.running = False
            error.hint = error.hint or _HINT
            raise

    async def _make(self, process: Mapping[str, object], streams: Mapping[str, Path], *, terminal: bool) -> None:
        self._made = True  # a call that is cut off may have made it
        await self._tasks.exec(self.container, self.id, process, terminal=terminal, **streams)

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
        """SIGKILL if it runs, and remove it. Its output must be read meanwhile, for the shim copies all of it first.
        What fails, or takes longer than `limit_s`, is left to the removal of the container.
        """
        try:
            async with asyncio.timeout(limit_s):
                if self.running:
                    await self._tasks.kill(self.container, signal.SIGKILL, exec_id=self.id)
                    await self.wait()
                if self._made:
                    await self._tasks.delete(self.container, exec_id=self.id)
        except (ExecutorError, TimeoutError) as error:
            log.debug("the record of a process could not be removed; it goes with its container", error=error)
