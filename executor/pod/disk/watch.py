"""Ends the pods that are over a limit of their disk, before the agent ends the whole executor.

    free space, each second ──shrinks──▶ count the pods that may be over ──▶ over: Stop(DISK)
                                         sum near the executor's quota   ──▶ the fewest pods without disk of their own

Owns the task that looks. Counting is done in a thread of its own (Node.counting); what was counted last is in
`Sandbox.disk`. Pods are counted side by side: one that is large, or cannot be counted, delays no other one.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from executor.disk import limits, pace
from executor.disk.pace import Seen
from executor.disk.space import Space
from executor.disk.turns import Call
from executor.errors import ExecutorError
from executor.log import get_logger
from executor.pod.disk.counting import Counting
from executor.pod.disk.quota import Quota
from executor.pod.life.events import Stop, StopCause
from executor.pod.life.model import State

if TYPE_CHECKING:
    from executor.names import PodId
    from executor.pod.node import Node
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

WATCHED = frozenset({State.SETTING_UP, State.INITIALIZING, State.STARTING, State.RUNNING, State.STOPPING})


class Watch:
    def __init__(self, node: Node, runners: Iterable[PodRunner]) -> None:
        self._node, self._runners = node, runners
        self._config = node.config.disk
        self._counting = Counting(node)
        self._quota = Quota(self._config, self._counting, node.read_agent_flags)
        self._space = Space()
        self._seen: dict[PodId, Seen] = {}
        self._counts: dict[PodId, asyncio.Task[None]] = {}
        self._ended: set[PodId] = set()
        self._uncounted: set[PodId] = set()
        self._before = (time.monotonic(), 0)

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """Also after the agent has restarted, perhaps with other flags."""
        self._quota.subscribed(executor_info)

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = self._config.interval_s
        try:
            while True:
                await asyncio.sleep(pause_s)
                try:
                    pause_s = await self._look()
                except Exception:  # what pods use must not end the executor
                    log.exception("defect while counting what pods use of the disk", code="disk.defect")
                    pause_s = 10.0
        finally:
            self._forget(set())

    async def _look(self) -> float:
        """Seconds until the next look."""
        pods = [runner for runner in self._runners if runner.pod.state in WATCHED]
        self._forget({runner.id for runner in pods})
        if not pods:
            return self._config.interval_s
        written = await self._written(pods)
        now_s = time.monotonic()
        due = [each for each in pods if pace.due(self._seen.get(each.id), now_s, written, len(pods))]
        await self._count(due, written)
        room = await self._watch_quota(pods, written)
        rooms = [seen.room_bytes for seen in self._seen.values() if seen.room_bytes is not None]
        least = min([*rooms, *([max(0, room)] if room is not None else [])], default=None)
        before_s, before = self._before
        self._before = (now_s, written)
        return pace.next_look_s(least, (written - before) / max(1e-3, now_s - before_s), self._config.interval_s)

    def _forget(self, living: set[PodId]) -> None:
        for pod in set(self._seen) - living:
            del self._seen[pod]
        for pod in set(self._counts) - living:
            self._counts[pod].cancel()
        self._ended &= living
        self._uncounted &= living

    async def _written(self, pods: list[PodRunner]) -> int:
        paths = [self._node.mesos_sandbox, *await self._counting.layers(pods[0])]
        look = Call(lambda: self._space.look(paths))
        await self._node.counting.run(look, urgent=True)
        return look.result

    async def _count(self, pods: Iterable[PodRunner], written: int) -> None:
        """Begins the counts that are not under way, and waits for a short time only."""
        started = []
        for runner in pods:
            if runner.id not in self._counts:
                task = asyncio.create_task(self._counted(runner, written))
                self._counts[runner.id] = task
                task.add_done_callback(functools.partial(self._has_counted, runner.id))
                started.append(task)
        if started:
            await asyncio.wait(started, timeout=pace.LOOK_MIN_S)

    def _has_counted(self, pod: PodId, _: asyncio.Task[None]) -> None:
        del self._counts[pod]

    async def _counted(self, runner: PodRunner, written: int) -> None:
        try:
            await self._count_one(runner, written)
        except Exception:
            log.exception("defect while counting what pods use of the disk", code="disk.defect")
            self._seen[runner.id] = Seen(time.monotonic(), written, 1.0, None)

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

    async def _watch_quota(self, pods: list[PodRunner], written: int) -> int | None:
        """The room in the executor's quota; None: the agent enforces none."""
        room = await self._quota.room_bytes(pods)
        if room is None:
            return None
        if self._quota_may_be_met(pods, written, room):
            now_s = time.monotonic()
            await self._count((each for each in pods if self._is_old(each, now_s, len(pods))), written)
            room = await self._quota.room_bytes(pods)
        if room is not None and room < 0:
            for runner, message, used_bytes in await self._quota.victims(pods):
                self._end(runner, message, self._quota.limit_bytes(pods), used_bytes)
        return room

    def _is_old(self, runner: PodRunner, now_s: float, pods: int) -> bool:
        seen = self._seen.get(runner.id)
        return seen is None or now_s - seen.at_s >= pace.pause_s(seen, pods)

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
