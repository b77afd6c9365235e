"""Which tasks and status updates the agent has not acknowledged, and what is still to be sent. Pure.

    add -> unsent -> accepted by the agent (202) -> acknowledged
             |  \\-> carried by SUBSCRIBE ---------^
             \\-> refused: sent again without what explains it; refused again: dropped

Invariants: an update is kept under its uuid, in the order it was made, until its own uuid is acknowledged or refused;
after a SUBSCRIBE nothing that it carried is sent again by itself; a task is known until its terminal update is
acknowledged, and nothing follows that update until the task is launched again. Source: docs/executor-http-api.md,
SUBSCRIBE and ACKNOWLEDGED.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from executor.mesos.status import bare, is_terminal

Json = dict[str, Any]


class Unacknowledged:
    """Not safe for threads: callers that share it hold a lock."""

    def __init__(self) -> None:
        # A TaskInfo is only needed until the agent has acknowledged any update of the task: from then on the agent
        # knows that the launch arrived, and SUBSCRIBE does not list it. The id is kept until the terminal update.
        self._tasks: dict[str, Json | None] = {}
        self._updates: dict[str, Json] = {}
        self._unsent: dict[str, None] = {}
        self._ended: set[str] = set()

    def __len__(self) -> int:
        """Updates that are not acknowledged."""
        return len(self._updates)

    def launched(self, tasks: Iterable[Json]) -> list[str]:
        """Note tasks as launched; the ids of those that had been launched before."""
        repeated = []
        for task in tasks:
            task_id = task["task_id"]["value"]
            self._ended.discard(task_id)
            if task_id in self._tasks:
                repeated.append(task_id)
            else:
                self._tasks[task_id] = task
        return repeated

    def add(self, status: Json) -> bool:
        """`status` is complete, with its uuid, and is not changed any more. False: it is not taken, because the agent
        has not acknowledged the task's terminal update, and would take this one for news of a task that has ended.
        """
        task_id = status["task_id"]["value"]
        if task_id in self._ended:
            return False
        if is_terminal(status["state"]):
            self._ended.add(task_id)
        self._updates[status["uuid"]] = status
        self._unsent[status["uuid"]] = None
        return True

    @property
    def unsent(self) -> int:
        """Updates that the agent has not accepted."""
        return len(self._unsent)

    def next_unsent(self) -> Json | None:
        """The oldest update to send. It stays the next one until it is `sent`, carried, acknowledged or dropped."""
        uuid = next(iter(self._unsent), None)
        return None if uuid is None else self._updates[uuid]

    def sent(self, uuid: str) -> None:
        """The agent accepted it."""
        self._unsent.pop(uuid, None)

    def carry(self) -> tuple[dict[str, Json], dict[str, Json]]:
        """What SUBSCRIBE has to say: unacknowledged TaskInfos by task id, `{"status": ...}` by uuid, oldest first.

        The updates count as sent. If this SUBSCRIBE fails, the next one carries them again.
        """
        self._unsent.clear()
        tasks = {task_id: task for task_id, task in self._tasks.items() if task is not None}
        return tasks, {uuid: {"status": status} for uuid, status in self._updates.items()}

    def acknowledged(self, uuid: str) -> Json | None:
        """The update that this settles; None if it was settled before, or never made."""
        status = self.drop(uuid)
        if status is not None:
            task_id = status["task_id"]["value"]
            if task_id in self._tasks:
                self._tasks[task_id] = None
        return status

    def reduce(self, uuid: str) -> bool:
        """Keeps of an update that the agent refuses what no agent can refuse; False if that was all of it."""
        status = self._updates.get(uuid)
        if status is None or bare(status) == status:
            return False
        self._updates[uuid] = bare(status)
        return True

    def reduce_all(self) -> None:
        """The same for every update."""
        for uuid in self._updates:
            self.reduce(uuid)

    def drop(self, uuid: str) -> Json | None:
        """Forgets an update that the agent will never take, and the task with its terminal one: a SUBSCRIBE without the
        task lets the agent report its end.
        """
        self._unsent.pop(uuid, None)
        status = self._updates.pop(uuid, None)
        if status is not None and is_terminal(status["state"]):
            self._ended.discard(status["task_id"]["value"])
            self._tasks.pop(status["task_id"]["value"], None)
        return status
