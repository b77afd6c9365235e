"""The cpu controller: weight, quota and idle class; usage from cpuacct (v1) or cpu.stat (v2, even without controllers).

Weights are on cgroup2's scale, 1 to 10000 with 100 as default. v1's shares are made from them with the kernel's own
formula (kernel/sched/core.c, `sched_weight_from_cgroup`: shares = weight * 1024 / 100, rounded), so that both defaults
meet (100 and 1024) and all proportions stay. runc converts shares to weights otherwise (linear over the whole range:
1024 becomes 39); a group that runc makes and one of ours do not compare on v2.
"""

from __future__ import annotations

from dataclasses import dataclass

from cgroups.controller import UNLIMITED, Home, write_present
from cgroups.files import Directory, flat_keyed, number
from cgroups.mounts import Mode

WEIGHT_MIN, WEIGHT_DEFAULT, WEIGHT_MAX = 1, 100, 10_000
PERIOD_USEC = 100_000
_QUOTA_MIN_USEC = 1_000  # the kernel's, and Mesos's MIN_CPU_CFS_QUOTA
_SHARES_DEFAULT = 1024
_NSEC_PER_USEC = 1000


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """None leaves a setting as it is; a quota of UNLIMITED ends it. Raises ValueError for a weight out of range."""

    weight: int | None = None
    quota_cores: float | None = None
    idle: bool | None = None

    controller = "cpu"

    def __post_init__(self) -> None:
        if self.weight is not None and not WEIGHT_MIN <= self.weight <= WEIGHT_MAX:
            raise ValueError(f"cpu weight {self.weight} is not within {WEIGHT_MIN}..{WEIGHT_MAX}")

    def values(self, mode: Mode) -> dict[str, str]:
        """File to text, in the order of writing: idle first, for an idle group refuses a weight (EINVAL)."""
        unified = mode is Mode.V2
        values = {}
        if self.idle is not None:
            values["cpu.idle"] = str(int(self.idle))
        if self.weight is not None:
            values[_weight_file(mode)] = str(self.weight if unified else shares_of_weight(self.weight))
        if self.quota_cores is not None:
            values |= _bandwidth_v2(self.quota_cores) if unified else _bandwidth_v1(self.quota_cores)
        return values

    def write(self, directory: Directory, mode: Mode) -> list[str]:
        """Applies, and returns the files that this kernel does not have. A weight stands in where `cpu.idle` cannot."""
        values = self.values(mode)
        if self.idle and directory.has("cpu.idle"):
            values.pop(_weight_file(mode), None)
        return write_present(directory, values)


@dataclass(frozen=True, kw_only=True)
class CpuStat:
    """None where it is not accounted."""

    usage_usec: int | None = None
    throttled_usec: int | None = None
    periods: int | None = None
    throttled_periods: int | None = None


def stat(cpu: Home | None, cpuacct: Home | None) -> CpuStat:
    """The CPU time and the throttling of the group and everything below it."""
    counters = flat_keyed(cpu[0].read_optional("cpu.stat")) if cpu else {}
    throttled_usec = counters.get("throttled_usec")
    if "throttled_time" in counters:
        throttled_usec = counters["throttled_time"] // _NSEC_PER_USEC
    return CpuStat(
        usage_usec=usage_usec(cpuacct),
        throttled_usec=throttled_usec,
        periods=counters.get("nr_periods"),
        throttled_periods=counters.get("nr_throttled"),
    )


def shares_of_weight(weight: int) -> int:
    """v1 cpu.shares for a cgroup2 weight, as the kernel computes it: 10 for 1, 1024 for 100, 102400 for 10000."""
    return (weight * _SHARES_DEFAULT + WEIGHT_DEFAULT // 2) // WEIGHT_DEFAULT


def weight_of_shares(shares: int) -> int:
    """The inverse, rounded and clamped to the scale (kernel/sched/core.c, `sched_weight_to_cgroup`)."""
    weight = (shares * WEIGHT_DEFAULT + _SHARES_DEFAULT // 2) // _SHARES_DEFAULT
    return min(max(weight, WEIGHT_MIN), WEIGHT_MAX)


def weight(cpu: Home | None) -> int | None:
    """The weight in force, on cgroup2's scale."""
    if cpu is None:
        return None
    directory, mode = cpu
    found = number(directory.read_optional(_weight_file(mode)))
    return found if found is None or mode is Mode.V2 else weight_of_shares(found)


def usage_usec(cpuacct: Home | None) -> int | None:
    """What `stat` says of usage, from one file."""
    if cpuacct is None:
        return None
    directory, mode = cpuacct
    if mode is Mode.V2:
        return flat_keyed(directory.read_optional("cpu.stat")).get("usage_usec")
    usage_nsec = number(directory.read_optional("cpuacct.usage"))
    return None if usage_nsec is None else usage_nsec // _NSEC_PER_USEC


def _weight_file(mode: Mode) -> str:
    return "cpu.weight" if mode is Mode.V2 else "cpu.shares"


def _quota_usec(cores: float) -> int:
    return max(round(cores * PERIOD_USEC), _QUOTA_MIN_USEC)


def _bandwidth_v1(cores: float) -> dict[str, str]:
    quota_usec = UNLIMITED if cores == UNLIMITED else _quota_usec(cores)
    return {"cpu.cfs_period_us": str(PERIOD_USEC), "cpu.cfs_quota_us": str(quota_usec)}


def _bandwidth_v2(cores: float) -> dict[str, str]:
    return {"cpu.max": f"{'max' if cores == UNLIMITED else _quota_usec(cores)} {PERIOD_USEC}"}
