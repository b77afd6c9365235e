"""What each event of the Mesos agent means for the pods, and what the pods report to Mesos: the executor's own life.

    driver ──event──▶ Dispatcher ──▶ Pods ──▶ one PodRunner a pod ──Report──▶ Dispatcher ──update──▶ driver
    control socket, MESSAGE ──▶ Revoker ──Stop──▶ PodRunner;  receipt ──▶ log, journal, MESSAGE
    containerd's events ──exit──▶ the pod that the container belongs to

It ends when it was told to (SHUTDOWN, SIGTERM, the agent lost for good), after every pod is torn down and every
update is acknowledged, or when the grace that Mesos gives an executor is over.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from executor import exhausted
from executor.errors import ExecutorError
from executor.intake import Intake
from executor.log import get_logger
from executor.mesos import events
from executor.mesos.status import Capabilities
from executor.names import TaskId
from executor.output.endedlogs import EndedLogs, EndedPod
from executor.pod.disk.watch import Watch
from executor.pod.exits.router import ExitRouter
from executor.pod.model import Pod, Report, State, Stop, StopCause
from executor.pod.object_updates import ObjectUpdates
from executor.pod.resources.weight_guard import WeightGuard
from executor.pod.table import Pods
from executor.reporting import status_updates
from executor.reporting.last_update import LastUpdate
from executor.reporting.revocation_labels import revocation_labels
from executor.revocation import messages
from executor.revocation.candidates import takes
from executor.revocation.revoker import Revoker
from executor.spec import roles
from executor.spec.model import Policy

if TYPE_CHECKING:
    from executor.mesos.driver import Driver
    from executor.mesos.environment import Environment
    from executor.pod.node import Node
    from executor.pod.runner import PodRunner
    from executor.revocation.governor import Governor
    from executor.revocation.receipt import Receipt
    from executor.revocation.request import Request
    from executor.spec.model import PodSpec

log = get_logger(__name__)

EXIT_MARGIN_S = 1.0
"""Of the shutdown grace: kept for the last acknowledgements, before Mesos kills the container."""
FIELDS_TOLD_MAX = 100


class Dispatcher:
    def __init__(
        self, node: Node, environment: Environment, driver: Driver, reaper: Callable[[], Awaitable[object]]
    ) -> None:
        self.node = node
        self.environment = environment
        pods = node.config.pods
        policy = Policy(pods.default_image, pods.termination_grace_s, allow_privileged=pods.allow_privileged)
        self.intake = Intake(policy, self._accept, self._refuse, self._end_if_idle)
        self.pods = Pods(node, self._report, self._ended, self.intake)
        self._ended_logs = EndedLogs(node.config.retention)
        self.revoker = Revoker(
            node.config.revocation, node.tree, node.victims_boost, lambda: self.pods, self._on_receipt, self.stop,
            self.intake.revoked, self.intake.flush,
        )  # fmt: skip
        updates = ObjectUpdates(self.pods.by_task)
        self._messages = messages.FrameworkMessages(self.revoker, driver.message, {"update": updates.take})
        self.exits = ExitRouter(node.containerd, self.pods)
        self.subscribed: events.Subscribed | None = None
        self._last_update = LastUpdate()
        self.governor = self._govern() if node.config.pressure.enabled else None
        self._guard = WeightGuard(node.guarded, lambda: [runner.spec for runner in self.pods])
        self._disk = Watch(node, lambda: self.pods)
        self._driver, self._reaper = driver, reaper
        self._capabilities = Capabilities()
        self._stopping: asyncio.Future[events.Shutdown] = asyncio.get_running_loop().create_future()
        self._clean = False

    async def run(self) -> None:
        """Until the executor was told to end and everything is released."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, f"got {number.name}")
        async with asyncio.TaskGroup() as group:
            works = [self.exits.run(), self.intake.run(), self._listen(), self._reap()]
            works += [self.node.cni.keep_rules(), self.node.networks.run(), self._disk.run(), self._ended_logs.run()]
            background = [group.create_task(work) for work in works + ([self.governor.run()] if self.governor else [])]
            shutdown = await self._stopping
            await self._end(shutdown)
            self._guard.close()
            for task in background:
                task.cancel()

    def _govern(self) -> Governor:
        from executor.revocation.governor import govern

        return govern(self.node.config, self.node.tree, self.revoker, lambda: self.pods)

    async def _reap(self) -> None:
        """Once subscribed: what dead executors left must not delay this one's subscription."""
        try:
            await self._reaper()
        except ExecutorError as error:
            log.warning("could not look for dead executors", code="executor.reap_failed", error=error)
        except Exception as error:  # what is left of others must not end this executor's pods
            if exhausted.tell(log, error) is None:
                log.exception("defect while reaping", code="executor.defect")

    def stop(self, why: str) -> None:
        """End the executor as on SHUTDOWN."""
        if not self._stopping.done():
            self._stopping.set_result(events.Shutdown(self.environment.shutdown_grace_s, why))

    async def _listen(self) -> None:
        async for event in self._driver.events():
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
                self.subscribed = event
                self._last_update.subscribed(event.executor_info)
                self._guard.subscribed(event.executor_info)
                self._disk.subscribed(event.executor_info)
                self.node.network.subscribed(event.executor_info)
                self._capabilities = Capabilities.of(event.framework_info)
                if self.node.names is not None:
                    self.node.names.framework = str(event.framework_info.get("name", ""))
            case events.Launch():
                self._launch(event)
            case events.Acknowledged():
                self._guard.check()
            case events.Kill():
                self._kill(event)
            case events.Message():
                self._messages.take(event.data)
            case events.Shutdown():
                if not self._stopping.done():
                    self._stopping.set_result(event)
            case events.AgentError():
                self.stop(f"the agent refused this executor: {event.message}")
            case _:
                pass

    # --- pods ------------------------------------------------------------------------------------------------

    def _launch(self, event: events.Launch) -> None:
        tasks = event.task_ids
        known = [task for task in tasks if task in self.intake or self._is_known(task)]
        if known:
            log.warning("task is known already, launch ignored", code="pod.duplicate", task=known[0])
            return
        if self._stopping.done():
            self._drop_late_launch(tasks)
            return
        for update in self._last_update.launched(tasks):
            self._driver.update(update)
        self.intake.take(event)

    def _is_known(self, task: TaskId) -> bool:
        runner = self.pods.by_task(task)
        return runner is not None and task not in runner.pod.reported

    def _accept(self, spec: PodSpec, revocations: Sequence[Request]) -> None:
        """The launch has been read. Raises ExecutorError."""
        self._check(spec)
        runner = self.pods.launch(spec)
        if self.governor is not None:
            self.governor.pods_changed()
        tasks = list(spec.task_ids)
        runner.log.info("pod accepted", code="pod.accepted", name=spec.name, namespace=spec.namespace, tasks=tasks)
        if paths := list(spec.without_effect):
            runner.log.info("fields without effect here", code="pod.without_effect", fields=paths[:FIELDS_TOLD_MAX])
        self._guard.check()
        for request in filter(lambda each: takes(each, runner), revocations):
            runner.post(request.stop)

    def _check(self, spec: PodSpec) -> None:
        """What only this node and its configuration can know of a pod."""
        configured = self.node.config.roles
        roles.check(configured.namespace_to_role, configured.limits, spec)
        self.node.network.check(spec)

    def _drop_late_launch(self, tasks: tuple[TaskId, ...]) -> None:
        """A launch that came too late for this executor. As Mesos itself answers one for an executor that ends."""
        log.warning("launch came while the executor ends", code="executor.launch_dropped", tasks=list(tasks))
        self._send(status_updates.dropped(tasks))

    def _refuse(self, tasks: Sequence[TaskId], error: ExecutorError) -> None:
        for task in tasks:
            self._send(status_updates.invalid(task, str(error), error.mesos_reason))

    def _kill(self, event: events.Kill) -> None:
        task = TaskId(event.task_id)
        if task in self.intake:
            self._send(status_updates.killed_before_launch(self.intake.drop(task)))
            self._end_if_idle()
            return
        runner = self.pods.by_task(task)
        if runner is None and self.intake.has_ended(task):
            return
        if runner is None:
            log.warning("KILL of a task that is not here", code="pod.unknown", task=task)
            self._send(Report((task,), self._capabilities.gone, None, "no such task in this executor"))
            return
        if runner.pod.state is not State.ENDED:
            runner.post(Stop(StopCause.KILL, event.grace_s))

    def _report(self, runner: PodRunner, report: Report) -> None:
        labels = runner.sandbox.labels
        if report.revocation is not None:
            reason = self.revoker.reason(report.revocation)
            labels |= revocation_labels(runner, report.revocation, reason)
        self._send(report, runner.sandbox.network_infos, labels, runner.pod)

    def _send(
        self, report: Report, infos: Any = (), labels: status_updates.Labels | None = None, pod: Pod | None = None
    ) -> None:
        for update in status_updates.updates(report, self._capabilities, network_infos=infos, labels=labels, pod=pod):
            if self._last_update.pass_on(update):
                self._driver.update(update)

    def _ended(self, runner: PodRunner) -> None:
        sandbox = runner.sandbox
        self._ended_logs.add(EndedPod(runner.id, sandbox.files, runner.log, sandbox.note_removed_logs))
        if self.governor is not None:
            self.governor.pods_changed()
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._last_update.held and not len(self.pods) and not len(self.intake):
            self.stop("its last pod has ended, and Mesos ends an executor that holds no cpus then")

    def _on_receipt(self, receipt: Receipt) -> None:
        messages.log_receipt(receipt)
        self._messages.tell(receipt)

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
        for tasks in self.intake.drop_all():
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
        """After everything was released: the updates that were held back, and the last acknowledgements.

        Mesos may end this process any moment from here on.
        """
        held = self._last_update.release()
        late = asyncio.create_task(self._answer_late())
        outcome = "everything is released" if self._clean else "something is left"
        log.info("executor stopped", code="executor.stopped", outcome=outcome, unacknowledged=len(held))
        for update in held:
            self._driver.update(update)
        await asyncio.sleep(0)  # what came since is answered before the end is waited for
        await self._driver.drained(EXIT_MARGIN_S)
        late.cancel()

    async def _answer_late(self) -> None:
        """The events that come when nothing can be run any more."""
        async for event in self._driver.events():
            if isinstance(event, events.Launch):
                self._drop_late_launch(event.task_ids)

    @property
    def unacknowledged(self) -> int:
        """How many status updates the agent has not acknowledged yet."""
        return self._driver.unacknowledged
