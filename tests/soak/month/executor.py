"""One executor: the real ledger of updates, reporter, judge of answers, reconnects, retries, revocations."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.errors import ExecutorError, MesosFailure
from executor.mesos.reconnect import Reconnect
from executor.mesos.sender import Verdict, judge
from executor.mesos.updates import Unacknowledged
from executor.names import TaskId, pod_id
from executor.pod.life.events import Stop, StopCause
from executor.pod.life.model import State
from executor.pod.release.retries import Retries
from executor.reporting.reporter import Reporter
from executor.revocation import messages
from executor.revocation.receipt import Outcome, Receipt
from executor.revocation.revoker import Listeners, Revoker
from tests.soak.month.groups import SimTree
from tests.soak.month.node import Behaviour, BrokenRuleError, Machine
from tests.soak.month.pod import SimPod

if TYPE_CHECKING:
    from executor.spec.model import PodSpec
    from tests.soak.month.agent import SimAgent

Json = dict[str, Any]
RECOVERY_TIMEOUT_S = 900.0
FRAMEWORK = {"capabilities": [{"type": "PARTITION_AWARE"}, {"type": "TASK_KILLING_STATE"}]}
UPDATE_AGAIN_S = 0.2
REMEMBERED = 10
"""Pods that have ended, of which a revocation still knows the tasks."""


@dataclass(frozen=True)
class Launch:
    spec: PodSpec
    behaviour: Callable[[str, int], Behaviour]


class SimExecutor:
    def __init__(self, machine: Machine, agent: SimAgent) -> None:
        self._machine, self._agent = machine, agent
        self._ledger = Unacknowledged()
        self._reporter = Reporter(self)
        self._reporter.subscribed({}, FRAMEWORK)
        self._retries = Retries()
        self._pods: dict[str, SimPod] = {}
        self._by_task: dict[str, SimPod] = {}
        self.coming: Collection[TaskId] = ()
        self.ended: deque[SimPod] = deque(maxlen=REMEMBERED)
        self._tree = SimTree(machine, lambda: self._pods)
        self._revoker = Revoker(
            machine.config.revocation,
            self._tree,  # type: ignore[arg-type] # the parts that it uses, as of the pods
            machine,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            Listeners(self._receive),
        )
        self._revocations: set[asyncio.Task[Receipt]] = set()
        self._lives: set[asyncio.Task[None]] = set()
        self._broken: list[BaseException] = []
        self._news = asyncio.Event()
        self._is_up = False
        self._connection = asyncio.create_task(self._connect())

    @property
    def dead(self) -> bool:
        return self._connection.done()

    def __iter__(self) -> Iterator[SimPod]:
        return iter(self.living)

    @property
    def living(self) -> list[SimPod]:
        return list(self._pods.values())

    # --- its connection --------------------------------------------------------------------------------------

    def update(self, status: Json) -> None:
        """The driver's part for the reporter."""
        self._ledger.add(status)
        self._news.set()

    def connection_is_up(self) -> None:
        self._is_up = True

    def connection_is_lost(self) -> None:
        self._is_up = False
        self._news.set()

    def acknowledged(self, uuid: str) -> None:
        self._ledger.acknowledged(uuid)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        reconnect = Reconnect(
            loop.time(), checkpoint=True, recovery_timeout_s=RECOVERY_TIMEOUT_S, subscription_backoff_max_s=2.0
        )
        while True:
            try:
                await self._agent.subscribe(self, *self._ledger.carry())
                reconnect.subscribed(loop.time())
                await self._send()
            except MesosFailure:
                pass
            delay_s = reconnect.lost(loop.time(), self._machine.chance.random())
            if delay_s is None:
                raise BrokenRuleError("the executor gave up an agent that is never away for that long")
            await asyncio.sleep(delay_s)

    async def _send(self) -> None:
        """Until the connection is lost. As executor.mesos.sender, which is a thread."""
        while self._is_up:
            status = self._ledger.next_unsent()
            if status is None:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                verdict = judge(await self._agent.post(self, status))
            except MesosFailure:
                verdict = Verdict.LATER
            if verdict is Verdict.ACCEPTED:
                self._ledger.sent(status["uuid"])
            elif verdict is Verdict.REFUSED:
                raise BrokenRuleError("an update was refused")
            else:
                await asyncio.sleep(UPDATE_AGAIN_S)

    # --- events ----------------------------------------------------------------------------------------------

    def launch(self, launch: Launch) -> str:
        """The id of its pod."""
        tasks = [{"task_id": {"value": task}} for task in launch.spec.task_ids]
        self._ledger.launched(tasks)
        identity = pod_id(self._machine.chance.randbytes(6))
        pod = SimPod(self._machine, identity, launch.spec, launch.behaviour, self._reporter.report, self._tree)
        self._pods[identity] = pod
        self._by_task |= dict.fromkeys(launch.spec.task_ids, pod)
        life = asyncio.create_task(self._live(pod))
        self._lives.add(life)
        life.add_done_callback(self._lived)
        return identity

    def _lived(self, life: asyncio.Task[None]) -> None:
        self._lives.discard(life)
        if not life.cancelled() and (error := life.exception()) is not None:
            self._broken.append(error)

    async def _live(self, pod: SimPod) -> None:
        await pod.run()
        del self._pods[pod.id]
        self.ended.append(pod)
        for task in pod.spec.task_ids:
            del self._by_task[task]
        if pod.pod.leaked:
            self._machine.counts["pod: something leaked at first"] += 1
            self._retries.take(pod)  # type: ignore[arg-type] # it needs its tear_down and its log
        else:
            self._machine.held.pop(pod.id, None)

    def kill(self, task: str, grace_s: float | None) -> None:
        pod = self._by_task.get(task)
        if pod is None:
            self._reporter.unknown(TaskId(task))
        elif pod.pod.state is not State.ENDED:
            pod.post(Stop(StopCause.KILL, grace_s))

    def message(self, data: bytes) -> None:
        """A revocation."""
        _, document = messages.request(data)
        taken = self._revoker.take(document, "a framework")
        self._machine.counts["revocation: repeated"] += taken.repeated
        self._revocations.add(taken.task)
        taken.task.add_done_callback(self._revoked)

    def _revoked(self, task: asyncio.Task[Receipt]) -> None:
        self._revocations.discard(task)
        if task.cancelled():
            return
        if isinstance(error := task.exception(), ExecutorError):
            self._machine.counts["revocation: refused"] += 1
        elif error is not None:
            self._broken.append(error)

    def _receive(self, receipt: Receipt) -> None:
        """What a receipt says is so."""
        self._machine.counts[f"receipt: {receipt.state}"] += 1
        for victim in receipt.victims:
            pod = self._pods.get(victim.pod)
            self._machine.counts[f"victim: {victim.outcome}"] += 1
            if victim.outcome in (Outcome.KILLED, Outcome.EXITED) and pod is not None and pod.processes:
                self._broken.append(BrokenRuleError(f"{pod.id} lives, and has {victim.outcome} by {receipt.id}"))

    # --- its end ---------------------------------------------------------------------------------------------

    def die(self) -> None:
        """SIGKILL: Mesos ends the container, and the pods with it; the reaper takes what is left."""
        for pod in self.living:
            pod.processes.clear()
        work = (*self._revocations, *self._revoker._followers, *self._lives, *self._retries._tasks)
        for task in (*work, self._connection):  # they die with the process
            task.cancel()
        self._machine.held.clear()

    def check(self) -> None:
        """Raises what has ended a part of it, which nothing may."""
        for error in (*self._broken, *self._machine.broken):
            raise error
        if self._connection.done() and not self._connection.cancelled():
            self._connection.result()

    def settled(self) -> list[str]:
        """In words what is open: nothing should be, once no task runs and the agent is there."""
        found = [f"pod {pod.id} is {pod.pod.state}" for pod in self.living]
        found += [f"{len(self._ledger)} updates are not acknowledged"] if len(self._ledger) else []
        found += [f"{len(self._revocations)} revocations are under way"] if self._revocations else []
        return found + ([f"{len(self._retries)} pods leak"] if len(self._retries) else [])


def revoke(identity: str, select: Json, grace_s: float) -> bytes:
    """A framework's MESSAGE."""
    return json.dumps({"revoke": {"id": identity, "select": select, "grace": grace_s}}).encode()
