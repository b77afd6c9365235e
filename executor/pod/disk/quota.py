"""The quota that the agent may hold the sandbox of the whole executor to, and who is ended before it is met."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from executor.disk import agentquota, limits
from executor.disk.limits import Held
from executor.errors import ExecutorError, MesosFailure
from executor.log import get_logger
from executor.mesos.resources import Resources
from executor.names import PodClass

if TYPE_CHECKING:
    from executor.config.disk import DiskSection
    from executor.mesos.agent_flags import AgentFlags
    from executor.names import PodId
    from executor.pod.disk.counting import Counting
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

OWN_S = 30.0
"""How often what is not a living pod's is counted; sooner once a pod has ended, for its logs stay."""
OWN_MIN_S = 2.0


class Quota:
    def __init__(self, config: DiskSection, counting: Counting, read_flags: Callable[[], AgentFlags]) -> None:
        self._config, self._counting, self._read_flags = config, counting, read_flags
        self._executor_bytes = 0
        self._enforced: bool | None = {"yes": True, "no": False}.get(config.agent_quota)
        self._own_bytes, self._own_at_s = 0, -OWN_S
        self._living: frozenset[PodId] = frozenset()
        self._told = False

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """The agent has sent the ExecutorInfo, with the executor's own part of the disk."""
        try:
            self._executor_bytes = Resources.of(executor_info.get("resources", ())).disk_bytes
        except ExecutorError:  # a form that this program does not know is no reason to end
            self._executor_bytes = 0
        if self._config.agent_quota == "ask":
            self._enforced = None

    def limit_bytes(self, pods: Iterable[PodRunner]) -> int:
        """0: there is none."""
        return self._executor_bytes + sum(runner.spec.resources.disk_bytes for runner in pods)

    async def room_bytes(self, pods: Sequence[PodRunner]) -> int | None:
        """What may be written before pods are ended for it; below 0: it is passed. None: no quota is enforced."""
        limit_bytes = self.limit_bytes(pods)
        if not limit_bytes or not self._config.enforce:
            return None
        if self._enforced is None:
            self._enforced = await asyncio.to_thread(_asked, self._read_flags)
        if not self._enforced:
            return None
        living = frozenset(runner.id for runner in pods)
        if time.monotonic() - self._own_at_s >= (OWN_S if living >= self._living else OWN_MIN_S):
            await self._count_own(living)
        room = limits.quota_room_bytes(_held(pods), self._own_bytes, limit_bytes)
        self._told = self._told and room < 0
        return room

    async def victims(self, pods: Sequence[PodRunner]) -> list[tuple[PodRunner, str, int]]:
        """The pods to end, with the reason in words and the bytes in use. The rest of the sandbox is counted again."""
        await self._count_own(frozenset(runner.id for runner in pods))
        limit_bytes, held = self.limit_bytes(pods), _held(pods)
        chosen = {each.pod: each for each in limits.quota_victims(held, self._own_bytes, limit_bytes)}
        if not chosen and limits.quota_room_bytes(held, self._own_bytes, limit_bytes) < 0:
            self._tell(limit_bytes)
        return [
            (runner, limits.quota_message(usage, limit_bytes, self._own_bytes), usage.total)
            for runner in pods
            if runner.id in chosen and (usage := runner.sandbox.disk) is not None
        ]

    async def _count_own(self, living: frozenset[PodId]) -> None:
        self._own_at_s = time.monotonic()
        try:
            self._own_bytes = await self._counting.of_sandbox(living)
            self._living = living
        except (ExecutorError, OSError) as error:
            log.warning("the sandbox cannot be counted", code="disk.uncounted", error=str(error))

    def _tell(self, limit_bytes: int) -> None:
        """Once until there is room again."""
        if not self._told:
            self._told = True
            log.warning(
                "the sandbox nears the executor's quota, and no pod can be ended for it",
                code="disk.quota",
                limit_bytes=limit_bytes,
                size_bytes=self._own_bytes,
            )


def _asked(read_flags: Callable[[], AgentFlags]) -> bool:
    """What the agent says; True also where it does not say, for that is the safe answer."""
    try:
        return agentquota.enforces(read_flags().flags)
    except MesosFailure:
        return True


def _held(pods: Iterable[PodRunner]) -> list[Held]:
    return [
        Held(
            runner.id,
            0 if runner.sandbox.disk is None else runner.sandbox.disk.in_sandbox,
            runner.spec.resources.disk_bytes > 0,
            runner.spec.pod_class is PodClass.REVOCABLE,
        )
        for runner in pods
    ]
