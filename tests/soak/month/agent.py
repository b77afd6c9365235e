"""A Mesos agent as its source has it (src/slave/slave.cpp, status_update_manager), as far as an executor notices.

It keeps the updates of each task in their order and forwards the first one until the scheduler has it. It acknowledges
an update to the executor once it has it; an answer or an acknowledgement that is on its way is lost with a connection.
It survives its own restart. When its executor subscribes again, a task of which it heard nothing, and that the executor
does not name, is dropped. When its executor dies, the tasks that have not ended have failed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from executor.errors import MesosFailure
from tests.soak.month.node import Machine
from tests.support.mesos.messages import TERMINAL

if TYPE_CHECKING:
    from tests.soak.month.executor import SimExecutor
    from tests.soak.month.scheduler import SimScheduler

Json = dict[str, Any]
FORWARD_S, FORWARD_AGAIN_S = 0.01, 10.0
RECOVERS_S = 0.5


@dataclass
class Task:
    """`waiting` are updates that the scheduler has not got, the first one being sent."""

    executor: SimExecutor
    seen: set[str] = field(default_factory=set)
    waiting: deque[Json] = field(default_factory=deque)
    end: bool = False


class SimAgent:
    def __init__(self, machine: Machine, scheduler: SimScheduler) -> None:
        self._machine, self._scheduler = machine, scheduler
        self._tasks: dict[str, Task] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.up = self.recovered = True
        self.gone = False
        self._connected: SimExecutor | None = None

    # --- the executor's side ---------------------------------------------------------------------------------

    async def subscribe(self, executor: SimExecutor, tasks: dict[str, Json], updates: dict[str, Json]) -> None:
        """Raises MesosFailure while it is away."""
        await self._latency()
        if not self.up or not self.recovered:
            raise MesosFailure("connection refused" if not self.up else "503")
        for carried in updates.values():
            self._take(executor, carried["status"])
        for name, task in list(self._tasks.items()):
            if task.executor is executor and not task.seen and name not in tasks and not task.end:
                self._own(name, "TASK_DROPPED")
        self._connected = executor
        executor.connection_is_up()

    async def post(self, executor: SimExecutor, status: Json) -> int:
        """The status of the answer to an UPDATE. Raises MesosFailure if there is none."""
        await self._latency()
        if not self.up:
            raise MesosFailure("connection refused")
        if not self.recovered:
            return 503
        if self._connected is not executor:
            return 403
        self._take(executor, status)
        await self._latency()
        if self._connected is not executor:
            raise MesosFailure("connection reset")
        return 202

    async def _latency(self) -> None:
        await asyncio.sleep(self._machine.chance.uniform(0, 0.005))

    def _take(self, executor: SimExecutor, status: Json) -> None:
        name, uuid = status["task_id"]["value"], status["uuid"]
        task = self._tasks.get(name)
        if task is None:
            return
        if uuid not in task.seen and not task.end:
            task.seen.add(uuid)
            self._queue(name, task, status)
        delay_s = self._machine.chance.uniform(0, 0.01)
        asyncio.get_running_loop().call_later(delay_s, self._acknowledge, executor, uuid)

    def _acknowledge(self, executor: SimExecutor, uuid: str) -> None:
        if self._connected is executor and self.up:
            executor.acknowledged(uuid)

    # --- the scheduler's side --------------------------------------------------------------------------------

    def launch(self, names: Iterable[str], executor: SimExecutor, launch: Any) -> str | None:
        """Sent to the executor if it is connected, which makes this pod; else it is dropped when that comes back."""
        self._tasks |= {name: Task(executor) for name in names}
        return executor.launch(launch) if self._connected is executor and self.up else None

    def kill(self, name: str, grace_s: float | None) -> None:
        task = self._tasks.get(name)
        if task is not None and self._connected is task.executor and self.up:
            task.executor.kill(name, grace_s)

    def _queue(self, name: str, task: Task, status: Json) -> None:
        task.end = status["state"] in TERMINAL
        task.waiting.append(status)
        if len(task.waiting) == 1:
            self._forward(name)

    def _own(self, name: str, state: str) -> None:
        status = {"task_id": {"value": name}, "state": state, "uuid": f"agent {name}"}
        self._queue(name, self._tasks[name], status)

    def _forward(self, name: str) -> None:
        """The first update, again and again until the scheduler has it."""
        lost = self._machine.happens(self._machine.rates.updates_lost_part, "update: lost on the way")
        if not lost and self.up:
            status = self._tasks[name].waiting[0]
            asyncio.get_running_loop().call_later(FORWARD_S, self._forwarded, name, status)
        else:
            self._timers[name] = asyncio.get_running_loop().call_later(FORWARD_AGAIN_S, self._forward, name)

    def _forwarded(self, name: str, status: Json) -> None:
        if self.gone:
            return
        task = self._tasks[name]
        self._scheduler.update(name, status["state"], status["uuid"], status.get("reason") or "")
        task.waiting.popleft()
        if task.waiting:
            self._forward(name)
        elif task.end:
            del self._tasks[name]

    # --- faults ----------------------------------------------------------------------------------------------

    def break_connection(self) -> None:
        executor, self._connected = self._connected, None
        if executor is not None:
            executor.connection_is_lost()

    async def restart(self, down_s: float) -> None:
        self.up = self.recovered = False
        self.break_connection()
        await asyncio.sleep(down_s)
        self.up = True
        await asyncio.sleep(RECOVERS_S)
        self.recovered = True

    def executor_died(self, executor: SimExecutor) -> None:
        """As when its Mesos container has ended."""
        if self._connected is executor:
            self._connected = None
        for name, task in list(self._tasks.items()):
            if task.executor is executor and not task.end:
                self._own(name, "TASK_FAILED")

    def machine_fails(self) -> None:
        """With its agent: the master tells the scheduler of every task that it has not heard the end of."""
        self.gone, self.up, self._connected = True, False, None
        for timer in self._timers.values():
            timer.cancel()
        for name in list(self._tasks):
            self._scheduler.lost(name)
        self._tasks.clear()
