"""What each event of the Mesos agent means for the pods: the executor's own life.

    driver ──event──▶ Dispatcher ──▶ LaunchReader ──▶ Admission ──▶ Pods ──▶ PodRunner ──Report──▶ Reporter ──▶ driver
    control socket, MESSAGE ──▶ Revoker ──Stop──▶ PodRunner;  receipt ──▶ Receipts ──▶ log, journal, MESSAGE
    containerd's events ──exit──▶ the pod that the container belongs to

It ends when it has to (SHUTDOWN, SIGTERM, the agent lost for good), after every pod is torn down and every
update is acknowledged, or when the grace that Mesos gives an executor is over.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from executor import exhausted
from executor.errors import ExecutorError, Failure, reason
from executor.log import get_logger
from executor.mesos import events
from executor.names import TaskId
from executor.output.endedlogs import EndedPod
from executor.pod.life.events import Stop, StopCause
from executor.pod.life.model import State

if TYPE_CHECKING:
    from executor.dispatch.executor_end import ExecutorEnd
    from executor.dispatch.launch_reader import LaunchReader
    from executor.mesos.driver import Driver
    from executor.mesos.environment import Environment
    from executor.output.endedlogs import EndedLogs
    from executor.pod.disk.watch import Watch
    from executor.pod.exits.router import ExitRouter
    from executor.pod.node import Node
    from executor.pod.resources.weight_guard import WeightGuard
    from executor.pod.runner import PodRunner
    from executor.pod.table import Pods
    from executor.reporting.reporter import Reporter
    from executor.revocation.governor import Governor
    from executor.revocation.messages import FrameworkMessages
    from executor.revocation.revoker import Revoker

log = get_logger(__name__)

EXIT_MARGIN_S = 1.0
"""The part of the shutdown grace that is kept for the last acknowledgements, before Mesos kills the container."""


@dataclass(frozen=True)
class Parts:
    """What the dispatcher passes events to. `governor` is None where the node is not watched for pressure."""

    driver: Driver
    reporter: Reporter
    executor_end: ExecutorEnd
    launch_reader: LaunchReader
    pods: Pods
    revoker: Revoker
    messages: FrameworkMessages
    exits: ExitRouter
    guard: WeightGuard
    disk: Watch
    ended_logs: EndedLogs
    governor: Governor | None = None


class Dispatcher:
    def __init__(self, node: Node, environment: Environment, parts: Parts) -> None:
        self.node = node
        self.environment = environment
        self._parts = parts
        self.subscribed: events.Subscribed | None = None
        self._clean = False
        self._is_default = False
        """Whether the framework asked for Mesos' own default executor, which ends with its last task."""
        parts.pods.on_end(self._ended)
        parts.launch_reader.on_settled(self._end_if_idle)

    @property
    def pods(self) -> Pods:
        """The pods that have not ended."""
        return self._parts.pods

    @property
    def revoker(self) -> Revoker:
        """Carries out revocations."""
        return self._parts.revoker

    @property
    def governor(self) -> Governor | None:
        """Revokes under pressure; None if the configuration has it off."""
        return self._parts.governor

    async def run(self, reaper: Callable[[], Awaitable[object]]) -> None:
        """Until the executor has to end and everything is released. `reaper` releases what dead executors left."""
        parts = self._parts
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, parts.executor_end.begin, f"got {number.name}")
        async with asyncio.TaskGroup() as group:
            works = [parts.exits.run(), parts.launch_reader.run(), self._listen(), self._reap(reaper)]
            works += [self.node.cni.keep_rules(), self.node.networks.run(), parts.disk.run(), parts.ended_logs.run()]
            works += [parts.governor.run()] if parts.governor is not None else []
            background = [group.create_task(work) for work in works]
            shutdown = await parts.executor_end.wait()
            await self._end(shutdown)
            parts.guard.close()
            for task in background:
                task.cancel()

    async def _reap(self, reaper: Callable[[], Awaitable[object]]) -> None:
        """Once subscribed: what dead executors left must not delay this one's subscription."""
        try:
            await reaper()
        except ExecutorError as error:
            log.warning("could not look for dead executors", code="executor.reap_failed", error=error)
        except Exception as error:  # what is left of others must not end this executor's pods
            if exhausted.tell(log, error) is None:
                log.exception("defect while reaping", code="executor.defect")

    async def _listen(self) -> None:
        async for event in self._parts.driver.events():
            kind = type(event).__name__
            try:
                self._handle(event)
            except ExecutorError as error:
                log.warning("could not handle an event", code="executor.event_refused", trigger=kind, error=error)
            except Exception as error:
                if exhausted.tell(log, error) is None:
                    log.exception("defect while handling an event", code="executor.defect", trigger=kind)

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.Subscribed():
                self._subscribed(event)
            case events.Launch():
                self._launch(event)
            case events.Acknowledged():
                self._parts.guard.check()
            case events.Kill():
                self._kill(event)
            case events.Message():
                self._parts.messages.take(event.data)
            case events.Shutdown():
                self._parts.executor_end.take(event)
            case events.AgentError():
                self._parts.executor_end.begin(f"the agent refused this executor: {event.message}")
            case _:
                pass

    def _subscribed(self, event: events.Subscribed) -> None:
        self.subscribed = event
        self._is_default = event.executor_info.get("type") == "DEFAULT"
        self._parts.reporter.subscribed(event.executor_info, event.framework_info)
        for each in (self._parts.guard, self._parts.disk, self.node.network):
            each.subscribed(event.executor_info)
        if self.node.names is not None:
            self.node.names.framework = str(event.framework_info.get("name", ""))

    # --- pods ------------------------------------------------------------------------------------------------

    def _launch(self, event: events.Launch) -> None:
        tasks, launch_reader = event.task_ids, self._parts.launch_reader
        known = [task for task in tasks if task in launch_reader or self._is_known(task)]
        if known:
            log.warning("task is known already, launch ignored", code="pod.duplicate", task=known[0])
        elif self._parts.executor_end.has_begun:
            self._drop_late_launch(tasks)
        else:
            self._parts.reporter.launched(tasks)
            launch_reader.take(event)

    def _is_known(self, task: TaskId) -> bool:
        runner = self.pods.by_task(task)
        return runner is not None and task not in runner.pod.reported

    def _drop_late_launch(self, tasks: Sequence[TaskId]) -> None:
        """A launch that came too late for this executor. As Mesos itself answers one for an executor that ends."""
        log.warning("launch came while the executor ends", code="executor.launch_dropped", tasks=list(tasks))
        self._parts.reporter.drop(tasks)

    def _kill(self, event: events.Kill) -> None:
        task, launch_reader = TaskId(event.task_id), self._parts.launch_reader
        if task in launch_reader:
            self._parts.reporter.killed_before_launch(launch_reader.drop(task))
            self._end_if_idle()
            return
        runner = self.pods.by_task(task)
        if runner is None and launch_reader.has_ended(task):
            return
        if runner is None:
            log.warning("KILL of a task that is not here", code="pod.unknown", task=task)
            self._parts.reporter.unknown(task)
        elif runner.pod.state is not State.ENDED:
            runner.post(Stop(StopCause.KILL, event.grace_s))

    def _ended(self, runner: PodRunner) -> None:
        note_removed = partial(self.pods.note_removed_logs, runner.id)
        self._parts.ended_logs.add(EndedPod(runner.id, runner.sandbox.files, runner.log, note_removed))
        self._end_if_idle()

    async def forget(self, runner: PodRunner) -> bool:
        """Remove the record and the logs of a pod that has ended; False: they are being read. Raises Failure."""
        try:
            if not await self._parts.ended_logs.drop(runner.id, runner.sandbox.files):
                return False
        except (OSError, Failure) as error:
            raise Failure(f"its logs cannot be removed: {reason(error)}", subject=runner.id) from error
        self.pods.forget(runner)
        return True

    def _end_if_idle(self) -> None:
        end = self._parts.executor_end
        if len(self.pods) or len(self._parts.launch_reader):
            return
        if self._parts.reporter.holds_last_update:
            end.begin_idle("its last pod has ended, and Mesos ends an executor that holds no cpus then")
        elif self._is_default:
            end.begin_idle("its last task has ended, and a default executor ends with it")

    # --- the end ---------------------------------------------------------------------------------------------

    async def _end(self, shutdown: events.Shutdown) -> None:
        """Stop every pod within Mesos's grace, then wait for the last acknowledgement."""
        log.info(
            "executor stops",
            code="executor.stopping",
            reason=shutdown.why,
            grace_s=shutdown.grace_s,
            count=len(self.pods),
        )
        for tasks in self._parts.launch_reader.drop_all():
            self._drop_late_launch(tasks)
        room_s = max(0.0, shutdown.grace_s - EXIT_MARGIN_S)
        self.node.release_pace.hurry()
        for runner in self.pods:
            runner.post(Stop(StopCause.SHUTDOWN, min(runner.spec.termination_grace_s, room_s / 2)))
        begin = time.monotonic()
        ended = await self.pods.wait_ended(room_s)
        self._clean = await self.pods.retries.settle(max(0.0, room_s - time.monotonic() + begin)) and ended
        if not self._clean:
            self.node.claim.keep()

    async def send_last_updates(self) -> None:
        """After everything was released: the updates that were held back, and the last acknowledgements. For an agent
        that is away or hangs it waits until the time of a demanded end is over, or the driver gives the agent up.

        Mesos may end this process any moment from here on.
        """
        late = asyncio.create_task(self._answer_late())
        outcome = "everything is released" if self._clean else "something is left"
        held = self._parts.reporter.release()
        log.info("executor stopped", code="executor.stopped", outcome=outcome, unacknowledged=held)
        await asyncio.sleep(0)  # what came since is answered before the end is waited for
        drained = asyncio.create_task(self._parts.driver.drained(EXIT_MARGIN_S))
        overdue = asyncio.create_task(self._parts.executor_end.overdue(EXIT_MARGIN_S))
        await asyncio.wait({drained, overdue}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, overdue, late):
            task.cancel()
        if left := self._parts.driver.unacknowledged:
            log.warning("updates are lost with this executor", code="executor.updates_lost", unacknowledged=left)

    async def _answer_late(self) -> None:
        """The events that come when nothing can be run any more."""
        async for event in self._parts.driver.events():
            if isinstance(event, events.Launch):
                self._drop_late_launch(event.task_ids)
            elif isinstance(event, events.Shutdown):
                self._parts.executor_end.take(event)

    @property
    def unacknowledged(self) -> int:
        """How many status updates the agent has not acknowledged yet."""
        return self._parts.driver.unacknowledged
