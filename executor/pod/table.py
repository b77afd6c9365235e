"""All pods of this executor, living and lately ended: found by id, task or name. Owns their runners' tasks."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from executor.errors import InvalidRequest, NotFound
from executor.log import get_logger
from executor.names import ContainerId, PodId, TaskId, pod_id, pod_of
from executor.pod.life.effects import Report
from executor.pod.release.retries import Retries
from executor.pod.runner import PodRunner
from executor.spec.model import TakenText

if TYPE_CHECKING:
    from executor.pod.node import Node
    from executor.spec.model import EnvValue, PodSpec

log = get_logger(__name__)

REMEMBERED = 200
"""How many ended pods `inspect` still knows."""
REMEMBERED_LETTERS = 8 << 20
"""In the descriptions of all of them; the memory of this process is not the pods'."""


class Pods:
    def __init__(
        self,
        node: Node,
        report: Callable[[PodRunner, Report], None],
    ) -> None:
        self.coming: Collection[TaskId] = ()
        """Tasks whose launch is not read yet."""
        self._node = node
        self._report = report
        self._on_change: list[Callable[[], None]] = []
        self._on_end: list[Callable[[PodRunner], None]] = []
        self._living: dict[PodId, PodRunner] = {}
        self._by_task: dict[TaskId, PodRunner] = {}
        self._ended: deque[PodRunner] = deque()
        self._remembered = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.retries = Retries()

    def __iter__(self) -> Iterator[PodRunner]:
        return iter(list(self._living.values()))

    def __len__(self) -> int:
        return len(self._living)

    @property
    def ended(self) -> Sequence[PodRunner]:
        """The pods that ended lately, the newest one last."""
        return list(self._ended)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Called when a pod has come, before it starts, and when one has gone."""
        self._on_change.append(listener)

    def on_end(self, listener: Callable[[PodRunner], None]) -> None:
        """Called with each pod that has ended, after the listeners to changes."""
        self._on_end.append(listener)

    def launch(self, spec: PodSpec) -> PodRunner:
        """Begin the life of a pod; its reports come by `report`."""
        runner = PodRunner(self._node, pod_id(os.urandom(6)), spec, self._report)
        self._living[runner.id] = runner
        self._by_task |= dict.fromkeys(spec.task_ids, runner)
        task = asyncio.create_task(self._live(runner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._notify()
        return runner

    def _notify(self) -> None:
        for listener in self._on_change:
            listener()

    async def _live(self, runner: PodRunner) -> None:
        await runner.run()
        self._living.pop(runner.id, None)
        self._remember(runner)
        if runner.pod.leaked:
            self.retries.take(runner)
        self._notify()
        for listener in self._on_end:
            listener(runner)

    def _remember(self, runner: PodRunner) -> None:
        self._ended.append(runner)
        self._remembered += _letters(runner.spec)
        while len(self._ended) > 1 and (len(self._ended) > REMEMBERED or self._remembered > REMEMBERED_LETTERS):
            forgotten = self._ended.popleft()
            self._remembered -= _letters(forgotten.spec)
            self._drop_tasks(forgotten)

    def forget(self, runner: PodRunner) -> None:
        """One that has ended; idempotent."""
        if runner in self._ended:
            self._ended.remove(runner)
            self._remembered -= _letters(runner.spec)
            self._drop_tasks(runner)

    def note_removed_logs(self, pod: PodId, reason: str) -> None:
        """As Sandbox.note_removed_logs, of a pod that may be forgotten by now: its logs may stay longer than it."""
        for runner in self._ended:
            if runner.id == pod:
                runner.sandbox.note_removed_logs(reason)

    def _drop_tasks(self, runner: PodRunner) -> None:
        for task in runner.spec.task_ids:
            if self._by_task.get(task) is runner:
                del self._by_task[task]

    def by_task(self, task: TaskId) -> PodRunner | None:
        """The pod of a task, also if it has ended lately."""
        return self._by_task.get(task)

    def by_container(self, container: ContainerId) -> tuple[PodRunner, str] | None:
        """The pod and the container's name."""
        runner = self._living.get(pod_of(container))
        name = None if runner is None else runner.containers.name(container)
        return None if runner is None or name is None else (runner, name)

    def started(self) -> list[ContainerId]:
        """The containers that run, as far as is known."""
        return [container for runner in self for container in runner.containers.started()]

    def find(self, text: str) -> PodRunner:
        """By task id, name, namespace/name or a prefix of the id; living pods first. Raises NotFound, InvalidRequest if
        several match.
        """
        for pods in (list(self), list(reversed(self._ended))):
            exact = [runner for runner in pods if text in (runner.id, *runner.spec.task_ids)]
            found = exact or [
                runner
                for runner in pods
                if text in (runner.spec.name, f"{runner.spec.namespace}/{runner.spec.name}")
                or runner.id.startswith((text, f"pod-{text}"))
            ]
            if len(found) > 1:
                ids = ", ".join(runner.id for runner in found)
                raise InvalidRequest(
                    f"matches {len(found)} pods: {ids}", subject=f"pod {text}", hint="name one by its id"
                )
            if found:
                return found[0]
        raise NotFound("no such pod in this executor", subject=f"pod {text}", hint="`mesos-pod-executor ps` lists them")

    async def wait_ended(self, timeout_s: float) -> bool:
        """Whether every pod ended in time."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        return not self._living


def _letters(spec: PodSpec) -> int:
    """The length of the texts that a framework chooses freely, with those of its objects."""
    tables = (*spec.labels.items(), *spec.annotations.items())
    own = (
        text
        for each in spec.containers
        for text in (*(each.command or ()), *(each.args or ()), *(_text(value) for _, value in each.env))
    )
    data = (*spec.objects.config_maps.values(), *spec.objects.secrets.values())
    objects = sum(len(value) for each in data for value in each.values.values())
    return objects + sum(len(key) + len(value) for key, value in tables) + sum(map(len, own))


def _text(value: EnvValue) -> str:
    return value.text if isinstance(value, TakenText) else str(value)
