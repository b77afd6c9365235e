"""The last word of an executor without cpus of its own. Pure.

An executor that takes both regular and revocable cpus must list none itself (src/master/validation.cpp). But when the
terminal update of its last task leaves its container without any cpus, the agent's cgroups/cpu isolator fails to
update the container ("No cpus resource given", src/slave/containerizer/mesos/isolators/cgroups/subsystems/cpu.cpp),
and the agent destroys it at once, in the middle of its releases. So that update is held back
until nothing is left to be released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from executor.mesos.status import is_terminal
from executor.names import TaskId

Json = dict[str, Any]


class LastUpdate:
    """`open`: the tasks whose end Mesos has not received; `held`: the updates that would end this executor."""

    def __init__(self) -> None:
        self.needed = False
        self.held: list[Json] = []
        self._open: set[TaskId] = set()

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """Learn whether the executor has cpus that keep its container alive."""
        resources = executor_info.get("resources", ())
        self.needed = not any(resource.get("name") == "cpus" for resource in resources)

    def launched(self, tasks: Iterable[TaskId]) -> list[Json]:
        """These tasks bring cpus, so what was held can be sent now."""
        self._open.update(tasks)
        return self.release()

    def pass_on(self, update: Json) -> bool:
        """Whether the update may be sent now; otherwise it is held."""
        task = TaskId(update["task_id"]["value"])
        if not is_terminal(update["state"]) or task not in self._open:
            return True
        self._open.discard(task)
        if self._open or not self.needed:
            return True
        self.held.append(update)
        return False

    def release(self) -> list[Json]:
        """What was held, to be sent now."""
        held, self.held = self.held, []
        return held
