"""The one exit for status updates: from a report to the updates that the driver sends.

Each is in the journal, with its uuid and the time when it was made, before the driver has it. Owns the framework's
capabilities, and the last update that is held back (last_update.py).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from executor.log import get_logger
from executor.mesos.status import Capabilities, stamped
from executor.pod.life.effects import Report
from executor.pod.life.model import Pod
from executor.reporting import status_updates
from executor.reporting.last_update import LastUpdate
from executor.reporting.revocation_labels import revocation_labels

if TYPE_CHECKING:
    from executor.errors import ExecutorError
    from executor.names import TaskId
    from executor.pod.runner import PodRunner
    from executor.reporting.status_updates import Labels


log = get_logger(__name__)


class Driver(Protocol):
    """`executor.mesos.driver.Driver`, as far as it is needed here."""

    def update(self, status: dict[str, Any]) -> None:
        """Send a status update until the agent has acknowledged it."""


class Reporter:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._capabilities = Capabilities()
        self._last_update = LastUpdate()

    @property
    def holds_last_update(self) -> bool:
        """Whether an update is held back that would end this executor."""
        return bool(self._last_update.held)

    def subscribed(self, executor_info: Mapping[str, Any], framework_info: Mapping[str, Any]) -> None:
        """Learn what the framework can take, and whether the executor has cpus of its own."""
        self._last_update.subscribed(executor_info)
        self._capabilities = Capabilities.of(framework_info)

    def launched(self, tasks: Iterable[TaskId]) -> None:
        """These tasks bring cpus, so what was held can be sent now."""
        for update in self._last_update.launched(tasks):
            self._driver.update(update)

    def release(self) -> int:
        """Send what was held back; how many updates that were."""
        held = self._last_update.release()
        for update in held:
            self._driver.update(update)
        return len(held)

    # --- reports ---------------------------------------------------------------------------------------------

    def report(self, runner: PodRunner, report: Report) -> None:
        """What the life cycle of a pod has to tell."""
        labels = {"pod": str(runner.id)} | runner.sandbox.labels
        if report.revocation is not None:
            labels |= revocation_labels(runner, report.revocation)
        self._send(report, runner.sandbox.network_infos, labels, runner.pod)

    def refuse(self, tasks: Iterable[TaskId], error: ExecutorError) -> None:
        """Tasks whose launch was refused."""
        for task in tasks:
            self._send(status_updates.invalid(task, str(error), error.mesos_reason))

    def drop(self, tasks: Sequence[TaskId]) -> None:
        """Tasks whose launch came too late for this executor."""
        self._send(status_updates.dropped(tuple(tasks)))

    def killed_before_launch(self, tasks: Sequence[TaskId]) -> None:
        """Tasks that were killed before their launch was read."""
        self._send(status_updates.killed_before_launch(tasks))

    def unknown(self, task: TaskId) -> None:
        """A task that is not here."""
        self._send(Report((task,), self._capabilities.gone, None, "no such task in this executor"))

    def _send(
        self,
        report: Report,
        infos: Sequence[dict[str, Any]] = (),
        labels: Labels | None = None,
        pod: Pod | None = None,
    ) -> None:
        for made in status_updates.updates(report, self._capabilities, network_infos=infos, labels=labels, pod=pod):
            update = stamped(made, uuid.uuid4().bytes, time.time())
            log.info(
                "a status update was made",
                code="task.status",
                task=update["task_id"]["value"],
                state=update["state"],
                reason=update.get("reason"),
                text=update.get("message"),
                update=update["uuid"],
            )
            if self._last_update.pass_on(update):
                self._driver.update(update)
