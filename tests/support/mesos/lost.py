"""Launches that meet the rescinding of their offer: the master drops all of their tasks, as it must, and they are sent
once more with another offer, as every framework does. Bookkeeping only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.support.mesos.history import Event, Status

LOST = "_LOST"
"""The type under which such an update stands in the history."""
REASON = "REASON_INVALID_OFFERS"


@dataclass
class _Launch:
    open: set[str]
    again: Callable[[], object]


class Launches:
    def __init__(self) -> None:
        self._of_task: dict[str, _Launch] = {}

    def sent(self, tasks: Iterable[str], again: Callable[[], object]) -> None:
        """`again` sends these tasks once more; once all of them were dropped it is called."""
        launch = _Launch(set(tasks), again)
        self._of_task |= dict.fromkeys(launch.open, launch)

    def lost(self, event: Event) -> Callable[[], object] | None:
        """None: the event is anything else. What is to be called now: nothing, unless it was the last one."""
        status = Status.of(event) if event.type == "UPDATE" else None
        if status is None or status.reason != REASON or status.task_id not in self._of_task:
            return None
        launch = self._of_task.pop(status.task_id)
        launch.open.discard(status.task_id)
        return _nothing if launch.open else launch.again


def _nothing() -> None:
    pass
