"""The ends of processes whose start was given up: the container's shim did not answer in time, and may do so later.

Their number in one container is bounded: beyond it no further process is started there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from executor.errors import TimedOut

if TYPE_CHECKING:
    from executor.names import ContainerId

LATE_MAX: Final = 8
"""In one container. One command that is late, as on a busy node, must not fail those beside it."""
SHIM_HINT: Final = "look for a shim that was stopped (state T in ps) or waits for a disk (D)"


class LateStarts:
    """Owns the tasks that await them. One for all containers."""

    def __init__(self) -> None:
        self._ends: defaultdict[ContainerId, set[asyncio.Task[None]]] = defaultdict(set)

    def check(self, container: ContainerId) -> None:
        """Raises TimedOut while LATE_MAX processes of this container are late."""
        if container in self._ends and len(self._ends[container]) >= LATE_MAX:
            raise TimedOut(f"its shim has not answered {LATE_MAX} commands yet", subject=container, hint=SHIM_HINT)

    def take(self, container: ContainerId, end: Coroutine[Any, Any, None]) -> None:
        """Run `end`, which awaits the start and ends the process."""
        task = asyncio.create_task(end)
        self._ends[container].add(task)
        task.add_done_callback(lambda _: self._done(container, task))

    def _done(self, container: ContainerId, task: asyncio.Task[None]) -> None:
        self._ends[container].discard(task)
        if not self._ends[container]:
            del self._ends[container]
