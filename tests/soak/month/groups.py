"""The cgroups of simulated pods, as far as lives and revocations need them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from cgroups import CgroupError, Hierarchies
from cgroups.cpu import CpuStat
from cgroups.limits import Stat, stat_of
from cgroups.memory import MemoryStat
from cgroups.pids import PidsStat
from executor.names import PodClass
from executor.pod.life.model import State
from tests.soak.month.node import BrokenRuleError, Machine

if TYPE_CHECKING:
    from tests.soak.month.pod import SimPod

LIMIT_BYTES = 16 << 20
"""The memory limit of each container."""


class SimCgroup:
    """The group of these pods, or of one container: as `cgroups.Cgroup`, as far as lives and revocations need one."""

    hierarchies = Hierarchies()
    """None: nothing is read of the kernel's."""

    def __init__(self, machine: Machine, path: str, pods: Callable[[], Iterable[SimPod]], container: str = "") -> None:
        self._machine, self._pods, self._container = machine, pods, container
        self.path = path

    def populated(self) -> bool:
        return any(pod.processes for pod in self._pods())

    def pids(self) -> list[int]:
        return sorted(pid for pod in self._pods() for pid in pod.processes)

    listed = reached = pids

    def memory_bytes(self) -> int:
        return 1 << 20

    def cpu_usage_usec(self) -> int:
        return 1000

    def apply(self, _: object) -> None:
        """Limits: nothing here needs CPU or memory."""

    def stat(self) -> Stat:
        """Only a container has a limit, and what the kernel has killed for it."""
        if not self._container:
            return stat_of(CpuStat(), MemoryStat(), PidsStat())
        kills = sum(pod.oom_kills[self._container] for pod in self._pods())
        memory = MemoryStat(max_bytes=LIMIT_BYTES, oom_kills=kills, oom_kills_local=kills, ooms_local=kills)
        return stat_of(CpuStat(), memory, PidsStat())

    def kill(self, *, everywhere: bool = False) -> None:  # the interface
        """By the life cycle of one pod."""
        for pod in self._pods():
            if pod.pod.state is not State.DESTROYING:
                raise BrokenRuleError(f"{pod.id} is killed while it is {pod.pod.state}")
            for process in list(pod.processes.values()):
                pod.kill_process(process)

    def write_kill_file(self) -> bool:
        """By a revocation. Raises CgroupError."""
        if self._machine.happens(self._machine.rates.kill_failures_part, "kill: failed"):
            raise CgroupError(errno.EIO, "it failed", path=self.path, data="1")
        for pod in self._pods():
            pod.be_killed_with_others()
        return True

    async def wait_unpopulated(self, timeout_s: float) -> bool:
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        while self.populated() and asyncio.get_running_loop().time() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return not self.populated()


class SimTree:
    """As `cgroups.Tree`, with the groups of an executor's `living` pods."""

    def __init__(self, machine: Machine, living: Callable[[], Mapping[str, SimPod]]) -> None:
        self._machine, self._living = machine, living
        self.root = SimCgroup(machine, "/executor", lambda: self._living().values())

    def subtree(self, kind: PodClass) -> SimCgroup:
        return self._group(f"/{kind}", lambda pod: pod.spec.pod_class is kind)

    def role(self, kind: PodClass, role: str) -> SimCgroup:
        below = f"{role}/"
        return self._group(
            f"/{kind}/{role}", lambda pod: pod.spec.pod_class is kind and f"{pod.spec.role}/".startswith(below)
        )

    def pod(self, kind: PodClass, role: str, pod: str) -> SimCgroup:
        return self._group(f"/{kind}/{role}/{pod}", lambda each: each.id == pod)

    def container(self, kind: PodClass, role: str, pod: str, name: str) -> SimCgroup:
        return self._group(f"/{kind}/{role}/{pod}/{name}", lambda each: each.id == pod, name)

    def walk(self, kind: PodClass) -> list[tuple[str, str]]:
        return [(pod.spec.role, pod.id) for pod in self._living().values() if pod.spec.pod_class is kind]

    def _group(self, path: str, has: Callable[[SimPod], bool], container: str = "") -> SimCgroup:
        return SimCgroup(self._machine, path, lambda: filter(has, self._living().values()), container)
