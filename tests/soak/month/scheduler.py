"""What a framework was told of its tasks, checked with each update: Mesos' promises to a scheduler."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.soak.month.node import BrokenRuleError
from tests.support.mesos.messages import TERMINAL

_RANK = {"TASK_STAGING": 0, "TASK_STARTING": 1, "TASK_RUNNING": 2, "TASK_KILLING": 3}


@dataclass
class Told:
    """What was told of one task. `revocable` is its class, `killed`: the framework asked for its end."""

    revocable: bool
    killed: bool = False
    rank: int = -1
    end: str = ""
    seen: set[str] = field(default_factory=set)


class SimScheduler:
    """`update` takes what Mesos forwards; one that was lost comes again with its uuid."""

    def __init__(self) -> None:
        self.tasks: dict[str, Told] = {}
        self.ends = Counter[str]()
        self.updates = 0

    def launch(self, task: str, *, revocable: bool) -> None:
        self.tasks[task] = Told(revocable)

    def update(self, task: str, state: str, uuid: str, reason: str = "") -> None:
        """Raises BrokenRuleError."""
        told = self.tasks[task]
        if uuid in told.seen:
            return
        told.seen.add(uuid)
        self.updates += 1
        if told.end:
            raise BrokenRuleError(f"{task} is {state} after it was {told.end}")
        if state in TERMINAL:
            told.end = state
            self.ends[state] += 1
            if reason == "REASON_CONTAINER_PREEMPTED" and not told.revocable:
                raise BrokenRuleError(f"{task} is regular and was revoked")
            return
        if _RANK[state] < told.rank:
            raise BrokenRuleError(f"{task} is {state} too late")
        told.rank = _RANK[state]

    def lost(self, task: str) -> None:
        """The master's own word for a task of a machine that is gone."""
        if not self.tasks[task].end:
            self.update(task, "TASK_LOST", f"master {task}")

    def open(self) -> list[str]:
        """Tasks without an end."""
        return [task for task, told in self.tasks.items() if not told.end]
