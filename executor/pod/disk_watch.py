"""Ends the pods that are over a limit of their disk, before the agent ends the whole executor.

    free space, each second ──shrinks──▶ count the pods that may be over ──▶ over: Stop(DISK)
                                         sum near the executor's quota   ──▶ the fewest pods without disk of their own

Owns the task that looks. Counting is done in a thread of its own (Node.counting); what was counted last is in
`Sandbox.disk`. A pod that cannot be counted is told of once and does not keep others from being counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from executor.disk import limits, pace
from executor.disk.pace import Seen
from executor.disk.space import Space
from executor.disk.turns import Call
from executor.errors import ExecutorError
from executor.log import get_logger
from executor.pod.disk_counting import Counting
from executor.pod.disk_quota import Quota
from executor.pod.model import State, Stop, StopCause

if TYPE_CHECKING:
    from executor.names import PodId
    from executor.pod.node import Node
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

WATCHED = frozenset({State.SETTING_UP, State.STARTING, State.RUNNING, State.STOPPING})
AT_ONCE = 4
"""Pods whose root file systems containerd counts at the same time."""


class Watch:
    def __init__(self, node: Node, runners: Callable[[], Iterable[PodRunner]]) -> None:
        self._node, self._runners = node, runners
        self._config = node.config.disk
        self._counting = Counting(node)
        self._quota = Quota(self._config, self._counting, node.read_agent_flags)
        self._space = Space()
        self._seen: dict[PodId, Seen] = {}
        self._ended: set[PodId] = set()
        self._uncounted: set[PodId] = set()
        self._before = (time.monotonic(), 0)

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """Also after the agent has restarted, perhaps with other flags."""
        self._quota.subscribed(executor_info)

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = self._config.interval_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                pause_s = await self._look()
            except Exception:  # what pods use must not end the executor
                log.exception("defect while counting what pods use of the disk", code="disk.defect")
                pause_s = 10.0

    async def _look(self) -> float:
        """Seconds until the next look."""
        pods = [runner for runner in self._runners() if runner.pod.state in WATCHED]
        self._forget({runner.id for runner in pods})
        if not pods:
            return self._config.interval_s
        written = await self._written(pods)
        now_s = time.monotonic()
        round_cost_s = sum(seen.cost_s for seen in self._seen.values())
        due = [each for each in pods if pace.due(self._seen.get(each.id), now_s, written, round_cost_s)]
        await self._count(due, written)
        room = await self._watch_quota(pods, written, round_cost_s)
        rooms = [seen.room_bytes for seen in self._seen.values() if seen.room_bytes is not None]
        least = min([*rooms, *([max(0, room)] if room is not None else [])], default=None)
        before_s, before = self._before
        self._before = (now_s, written)
        return pace.next_look_s(least, (written - before) / max(1e-3, now_s - before_s), self._config.interval_s)

    def _forget(self, living: set[PodId]) -> None:
        for pod in set(self._seen) - living:
            del self._seen[pod]
        self._ended &= living
        self._uncounted &= living

    async def _written(self, pods: list[PodRunner]) -> int:
        paths = [self._node.mesos_sandbox, *await self._counting.layers(pods[0])]
        look = Call(lambda: self._space.look(paths))
        await self._node.counting.run(look, urgent=True)
        return look.result

    async def _count(self, pods: Iterable[PodRunner], written: int) -> None:
        turn = asyncio.Semaphore(AT_ONCE)

        async def count(runner: PodRunner) -> None:
            async with turn:
                await self._count_one(runner, written)

        await asyncio.gather(*map(count, pods))

    async def _count_one(self, runner: PodRunner, written: int) -> None:
        try:
            usage, cost_s = await self._counting.of_pod(runner)
        except (ExecutorError, OSError) as error:
            self._seen[runner.id] = Seen(time.monotonic(), written, 1.0, None)
            if runner.id not in self._uncounted:
                self._uncounted.add(runner.id)
                runner.log.warning("the pod's disk cannot be counted", code="disk.uncounted", error=str(error))
            return
        before, runner.sandbox.disk = runner.sandbox.disk, usage
        room = limits.room_bytes(runner.spec, usage)
        growing = pace.grows(before.total if before else 0, usage.total, room)
        times = self._seen[runner.id].times + 1 if runner.id in self._seen else 0
        self._seen[runner.id] = Seen(time.monotonic(), written, cost_s, room, growing, times)
        if (passed := limits.over(runner.spec, usage)) is not None:
            self._end(runner, passed.message, passed.limit_bytes, passed.used_bytes)

    async def _watch_quota(self, pods: list[PodRunner], written: int, round_cost_s: float) -> int | None:
        """The room in the executor's quota; None: the agent enforces none."""
        room = await self._quota.room_bytes(pods)
        if room is None:
            return None
        if self._quota_may_be_met(pods, written, room):
            oldest_s = time.monotonic() - max(pace.LOOK_MIN_S, pace.COST * round_cost_s)
            old = [each for each in pods if (seen := self._seen.get(each.id)) is None or seen.at_s <= oldest_s]
            await self._count(old, written)
            room = await self._quota.room_bytes(pods)
        if room is not None and room < 0:
            for runner, message, used_bytes in await self._quota.victims(pods):
                self._end(runner, message, self._quota.limit_bytes(pods), used_bytes)
        return room

    def _quota_may_be_met(self, pods: list[PodRunner], written: int, room: int) -> bool:
        """Whether as much has been written since the pods were counted."""
        oldest = min((self._seen[each.id].written_bytes for each in pods if each.id in self._seen), default=written)
        return written > oldest and written - oldest >= pace.ROOM_PART * room

    def _end(self, runner: PodRunner, message: str, limit_bytes: int, used_bytes: int) -> None:
        if runner.id in self._ended:
            return
        self._ended.add(runner.id)
        runner.log.warning(
            "a pod is over a limit of its disk",
            code="pod.disk_limit",
            error=message,
            limit_bytes=limit_bytes,
            size_bytes=used_bytes,
        )
        if self._config.enforce:
            runner.post(Stop(StopCause.DISK, 0.0, message, limit_bytes=limit_bytes))
