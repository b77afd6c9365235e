"""Ends the pods that are over a limit of their disk, before the agent ends the whole executor.

    free space, each second ──shrinks──▶ count the pods that may be over ──▶ over: Stop(DISK)
                                         sum near the executor's quota   ──▶ the fewest pods without disk of their own

Owns the task that looks. Counting is done in a thread of its own (Node.counting); what was counted last is in
`Sandbox.disk`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from executor.disk import agentquota, counting, limits, pace
from executor.disk.limits import Held
from executor.disk.pace import Seen
from executor.disk.space import Space
from executor.disk.turns import Call
from executor.errors import ExecutorError, MesosFailure
from executor.log import get_logger
from executor.mesos.resources import Resources
from executor.names import PodClass, PodId
from executor.pod.model import State, Stop, StopCause

if TYPE_CHECKING:
    from pathlib import Path

    from executor.disk.usage import DiskUsage
    from executor.pod.node import Node
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

WATCHED = frozenset({State.SETTING_UP, State.STARTING, State.RUNNING, State.STOPPING})
_OWN_S = 30.0
"""How often the sandbox's other files are counted where there is a quota."""


class Watch:
    def __init__(self, node: Node, agent_endpoint: str, runners: Callable[[], Iterable[PodRunner]]) -> None:
        self._node, self._runners, self._endpoint = node, runners, agent_endpoint
        self._config = node.config.disk
        self._space = Space()
        self._seen: dict[PodId, Seen] = {}
        self._told: set[PodId] = set()
        self._layers: Path | None = None
        self._executor_disk_bytes = 0
        self._agent_enforces = self._config.agent_quota == "yes"
        self._asked = asyncio.Event()
        self._own_bytes, self._own_at_s = 0, -_OWN_S
        self._quota_told = False

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """Also after the agent has restarted, perhaps with other flags."""
        try:
            self._executor_disk_bytes = Resources.of(executor_info.get("resources", ())).disk_bytes
        except ExecutorError:
            self._executor_disk_bytes = 0
        self._asked.clear()

    async def run(self) -> None:
        """Until cancelled."""
        pause_s, before = self._config.interval_s, (time.monotonic(), 0)
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._ask_agent()
                pause_s, before = await self._look(before)
            except (ExecutorError, OSError) as error:
                log.warning("cannot count what pods use of the disk", code="disk.uncounted", error=str(error))
                pause_s = max(pause_s, 10.0)

    async def _ask_agent(self) -> None:
        if self._config.agent_quota == "ask" and not self._asked.is_set():
            self._agent_enforces = await asyncio.to_thread(_enforced, self._endpoint)
            self._asked.set()

    async def _look(self, before: tuple[float, int]) -> tuple[float, tuple[float, int]]:
        """Pause until the next look, and what to hand to it."""
        pods = [runner for runner in self._runners() if runner.pod.state in WATCHED]
        self._forget({runner.id for runner in pods})
        if not pods:
            return self._config.interval_s, (time.monotonic(), self._space.written_bytes)
        await self._find_layers(pods)
        paths = [self._node.mesos_sandbox, *([self._layers] if self._layers else [])]
        look = Call(lambda: self._space.look(paths))
        await self._node.counting.run(look, urgent=True)
        written = look.result
        now_s = time.monotonic()
        await self._count_due(pods, now_s, written)
        room = await self._watch_quota(pods, now_s, written)
        rooms = [seen.room_bytes for seen in self._seen.values() if seen.room_bytes is not None]
        least = min([*rooms, *([room] if room is not None else [])], default=None)
        rate = (written - before[1]) / max(1e-3, now_s - before[0])
        return pace.next_look_s(least, rate, self._config.interval_s), (now_s, written)

    def _forget(self, living: set[PodId]) -> None:
        for pod in set(self._seen) - living:
            del self._seen[pod]
        self._told &= living

    async def _find_layers(self, pods: list[PodRunner]) -> None:
        if self._layers is None:
            self._layers = await counting.snapshots_directory(self._node, pods[0])

    async def _count_due(self, pods: list[PodRunner], now_s: float, written: int) -> None:
        round_cost_s = sum(seen.cost_s for seen in self._seen.values())
        for runner in pods:
            if pace.due(self._seen.get(runner.id), now_s, written, round_cost_s):
                await self._count(runner, written)

    async def _count(self, runner: PodRunner, written: int) -> None:
        usage, cost_s = await counting.of_pod(self._node, runner)
        before, runner.sandbox.disk = runner.sandbox.disk, usage
        room = limits.room_bytes(runner.spec, usage)
        growing = pace.grows(before.total if before else 0, usage.total, room)
        self._seen[runner.id] = Seen(time.monotonic(), written, cost_s, room, growing)
        if (passed := limits.over(runner.spec, usage)) is not None:
            self._end(runner, passed.message, passed.limit_bytes, passed.used_bytes)

    def _end(self, runner: PodRunner, message: str, limit_bytes: int, used_bytes: int) -> None:
        if runner.id in self._told:
            return
        self._told.add(runner.id)
        runner.log.warning(
            "a pod is over a limit of its disk",
            code="pod.disk_limit",
            error=message,
            limit_bytes=limit_bytes,
            size_bytes=used_bytes,
        )
        if self._config.enforce:
            runner.post(Stop(StopCause.DISK, 0.0, message, limit_bytes=limit_bytes))

    # --- the executor's quota ----------------------------------------------------------------------------------

    async def _watch_quota(self, pods: list[PodRunner], now_s: float, written: int) -> int | None:
        """Room until pods are ended for it; None: the agent enforces no quota."""
        quota = self._executor_disk_bytes + sum(runner.spec.resources.disk_bytes for runner in pods)
        if not quota or not self._agent_enforces or not self._config.enforce:
            return None
        if now_s - self._own_at_s >= _OWN_S:
            self._own_bytes = await counting.of_sandbox(self._node, [runner.id for runner in pods])
            self._own_at_s = time.monotonic()
        room = limits.quota_room_bytes(_held(pods), self._own_bytes, quota)
        if room < 0 or self._may_have_grown(pods, written, room):
            await self._count_free(pods, written)
            room = limits.quota_room_bytes(_held(pods), self._own_bytes, quota)
        if room < 0:
            await self._make_room(pods, quota)
        else:
            self._quota_told = False
        return room

    def _may_have_grown(self, pods: list[PodRunner], written: int, room: int) -> bool:
        oldest = min((self._seen[each.id].written_bytes for each in pods if each.id in self._seen), default=written)
        return written - oldest >= pace.ROOM_PART * room

    async def _count_free(self, pods: list[PodRunner], written: int) -> None:
        """The pods that no limit of their own keeps in bounds, not more often than their cost allows."""
        round_cost_s = sum(seen.cost_s for seen in self._seen.values())
        for runner in pods:
            seen = self._seen.get(runner.id)
            if runner.spec.resources.disk_bytes or (seen is not None and seen.written_bytes == written):
                continue
            if seen is None or time.monotonic() - seen.at_s >= max(pace.LOOK_MIN_S, pace.COST * round_cost_s):
                await self._count(runner, written)

    async def _make_room(self, pods: list[PodRunner], quota: int) -> None:
        self._own_bytes = await counting.of_sandbox(self._node, [runner.id for runner in pods])
        self._own_at_s = time.monotonic()
        victims = limits.quota_victims(_held(pods), self._own_bytes, quota)
        by_id = {runner.id: runner for runner in pods}
        for victim in victims:
            runner = by_id[victim.pod]
            usage = runner.sandbox.disk
            if usage is not None:
                message = limits.quota_message(usage, quota, self._own_bytes)
                self._end(runner, message, quota, victim.used_bytes)
        if not victims and limits.quota_room_bytes(_held(pods), self._own_bytes, quota) < 0 and not self._quota_told:
            self._quota_told = True
            log.warning(
                "the sandbox nears the executor's quota, and no pod can be ended for it",
                code="disk.quota",
                limit_bytes=quota,
                size_bytes=self._own_bytes,
            )


def _enforced(endpoint: str) -> bool:
    """By the agent at `endpoint`; True also where it does not tell, for that is the safe answer."""
    from executor.doctor.agent import ask  # once, after the subscription

    try:
        return agentquota.enforces(ask(endpoint).flags)
    except MesosFailure:
        return True


def _held(pods: Iterable[PodRunner]) -> list[Held]:
    return [
        Held(
            runner.id,
            _in_sandbox(runner.sandbox.disk),
            runner.spec.resources.disk_bytes > 0,
            runner.spec.pod_class is PodClass.REVOCABLE,
        )
        for runner in pods
    ]


def _in_sandbox(usage: DiskUsage | None) -> int:
    return 0 if usage is None else usage.in_sandbox
