"""All that can be set on a group and all that can be read of it: two flat records over the controllers' own. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cgroups.controller import UNLIMITED
from cgroups.cpu import Cpu, CpuStat
from cgroups.cpuset import Cpuset
from cgroups.io import Io, IoMax
from cgroups.memory import Memory, MemoryStat
from cgroups.mounts import Mode
from cgroups.pids import Pids, PidsStat

__all__ = ["UNLIMITED", "Limits", "Stat", "stat_of"]

Controller = Cpu | Memory | Pids | Io | Cpuset


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every None leaves a setting as it is; UNLIMITED takes a limit away. CPU weights are on cgroup2's scale,
    1..10000. `io_max` is by disk (io.py), `cpus` are the CPUs that processes may run on.
    """

    cpu_weight: int | None = None
    cpu_quota_cores: float | None = None
    cpu_idle: bool | None = None
    memory_max_bytes: int | None = None
    memory_high_bytes: int | None = None
    memory_low_bytes: int | None = None
    memory_min_bytes: int | None = None
    pids_max: int | None = None
    io_weight: int | None = None
    io_max: Mapping[str, IoMax] | None = None
    cpus: Collection[int] | None = None

    def controllers(self) -> tuple[Controller, ...]:
        """The same settings, by controller. Raises ValueError for a value out of range."""
        memory = Memory(
            max_bytes=self.memory_max_bytes,
            high_bytes=self.memory_high_bytes,
            low_bytes=self.memory_low_bytes,
            min_bytes=self.memory_min_bytes,
        )
        cpu = Cpu(weight=self.cpu_weight, quota_cores=self.cpu_quota_cores, idle=self.cpu_idle)
        io = Io(weight=self.io_weight, max=self.io_max)
        return cpu, memory, Pids(max=self.pids_max), io, Cpuset(cpus=self.cpus)

    def values(self, mode: Mode) -> dict[str, str]:
        """File to text, for all controllers. HYBRID writes as V1 does."""
        return {file: text for part in self.controllers() for file, text in part.values(mode).items()}


@dataclass(frozen=True, kw_only=True)
class Stat:
    """Usage of a group and everything below it. None: not accounted here; a `max` of None: no limit.

    `oom_kills_local` counts victims in this very group only, and `ooms_local` how often its own limit was met (see
    MemoryStat); attribute an OOM by the leaf's.
    """

    cpu_usage_usec: int | None
    throttled_usec: int | None
    periods: int | None
    throttled_periods: int | None
    memory_bytes: int | None
    memory_working_set_bytes: int | None
    memory_peak_bytes: int | None
    memory_max_bytes: int | None
    oom_kills_local: int | None
    oom_kills: int | None
    ooms_local: int | None
    pids: int | None
    pids_max: int | None
    refused_forks: int | None


def stat_of(cpu: CpuStat, memory: MemoryStat, pids: PidsStat) -> Stat:
    """One Stat of the controllers' own."""
    return Stat(
        cpu_usage_usec=cpu.usage_usec,
        throttled_usec=cpu.throttled_usec,
        periods=cpu.periods,
        throttled_periods=cpu.throttled_periods,
        memory_bytes=memory.usage_bytes,
        memory_working_set_bytes=memory.working_set_bytes,
        memory_peak_bytes=memory.peak_bytes,
        memory_max_bytes=memory.max_bytes,
        oom_kills_local=memory.oom_kills_local,
        oom_kills=memory.oom_kills,
        ooms_local=memory.ooms_local,
        pids=pids.current,
        pids_max=pids.max,
        refused_forks=pids.refused_forks,
    )
