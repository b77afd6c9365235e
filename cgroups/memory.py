"""The memory controller: limit, throttling point and protections; usage and OOM kills.

A limit holds for memory and swap together: v1 gets `memory.memsw.limit_in_bytes` with the same value, v2
`memory.swap.max` 0, so that a group at its limit is killed in itself and does not slow the node down by swapping.
v1 has no `low` and `min`: they are reported as not applied. Nearest to `high` is its soft limit, which gives way only
when the node itself is short (Documentation/admin-guide/cgroup-v1/memory.rst, 7). v2's `memory.oom.group` is set by the
runtime, for each container.
"""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass

from cgroups.controller import UNLIMITED, Home, limit_text, write_present
from cgroups.descent import walk
from cgroups.errors import CgroupBusy, CgroupError
from cgroups.files import Directory, flat_keyed, number
from cgroups.mounts import Mode

LIMIT_V1 = "memory.limit_in_bytes"
SWAP_V1 = "memory.memsw.limit_in_bytes"
SOFT_V1 = "memory.soft_limit_in_bytes"
_NO_LIMIT_V1 = 1 << 62  # v1 shows "no limit" as LONG_MAX rounded down to a page


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes; None leaves a setting as it is, UNLIMITED takes a limit away."""

    max_bytes: int | None = None
    high_bytes: int | None = None
    low_bytes: int | None = None
    min_bytes: int | None = None

    controller = "memory"

    def values(self, mode: Mode) -> dict[str, str]:
        """File to text; for v1 in the order of a lower limit (see `write`). Swap's file is missing on some kernels."""
        if mode is not Mode.V2:
            v1 = {LIMIT_V1: self.max_bytes, SWAP_V1: self.max_bytes, SOFT_V1: self.high_bytes}
            return {name: limit_text(value, unlimited="-1") for name, value in v1.items() if value is not None}
        named = {"max": self.max_bytes, "high": self.high_bytes, "low": self.low_bytes, "min": self.min_bytes}
        values = {
            f"memory.{name}": limit_text(value, unlimited="max") for name, value in named.items() if value is not None
        }
        if self.max_bytes is not None:
            values["memory.swap.max"] = "max" if self.max_bytes == UNLIMITED else "0"
        return values

    def write(self, directory: Directory, mode: Mode) -> list[str]:
        """Applies, and returns the files that this kernel does not have.

        v1 demands limit <= memsw at any time (memory.rst, 2.4), so a higher limit is written memsw first. Raises
        CgroupBusy where the kernel cannot reclaim down to the limit: then the old one stays. v2 would kill instead
        (cgroup-v2.rst, memory.max), so it is asked to reclaim before.
        """
        values = self.values(mode)
        if mode is Mode.V2 and self.max_bytes not in (None, UNLIMITED):
            _make_room(directory, self.max_bytes or 0)
        if SWAP_V1 in values and _rises(directory, self.max_bytes):
            values = dict(reversed(values.items()))
        missing = write_present(directory, values)
        missing = [name for name in missing if name not in (SWAP_V1, "memory.swap.max")]  # no swap accounting, no swap
        return missing + self._lacking(mode)

    def _lacking(self, mode: Mode) -> list[str]:
        if mode is Mode.V2:
            return []
        named = {"memory.low": self.low_bytes, "memory.min": self.min_bytes}
        return [name for name, value in named.items() if value is not None]


@dataclass(frozen=True, kw_only=True)
class MemoryStat:
    """Bytes; None where it is not accounted. `working_set_bytes` is usage without inactive page cache, as kubelet's.

    `oom_kills_local` counts victims that were members of this very group, `oom_kills` those below it as well. v1 keeps
    only the local count, so there a removed child's kills are no longer in the sum. `ooms_local` counts how often the
    limit of this very group left no memory to a process here or below; v1 does not count that.
    """

    usage_bytes: int | None = None
    working_set_bytes: int | None = None
    peak_bytes: int | None = None
    max_bytes: int | None = None
    oom_kills_local: int | None = None
    oom_kills: int | None = None
    ooms_local: int | None = None


def stat(memory: Home | None) -> MemoryStat:
    """Empty where no memory controller has the group. Raises CgroupError."""
    if memory is None:
        return MemoryStat()
    directory, mode = memory
    return _stat_v2(directory) if mode is Mode.V2 else _stat_v1(directory)


def usage_bytes(memory: Home | None) -> int | None:
    """What `stat` says of usage, from one file."""
    if memory is None:
        return None
    directory, mode = memory
    return number(directory.read_optional("memory.current" if mode is Mode.V2 else "memory.usage_in_bytes"))


def _stat_v1(directory: Directory) -> MemoryStat:
    usage_bytes = number(directory.read_optional("memory.usage_in_bytes"))
    max_bytes = number(directory.read_optional(LIMIT_V1))
    kills = [flat_keyed(group.read_optional("memory.oom_control")).get("oom_kill") for group in walk(directory)]
    return MemoryStat(
        usage_bytes=usage_bytes,
        working_set_bytes=_working_set_bytes(usage_bytes, directory, "total_inactive_file"),
        peak_bytes=number(directory.read_optional("memory.max_usage_in_bytes")),
        max_bytes=None if max_bytes is None or max_bytes >= _NO_LIMIT_V1 else max_bytes,
        oom_kills_local=kills[0],
        oom_kills=None if kills[0] is None else sum(kill or 0 for kill in kills),
    )


def _stat_v2(directory: Directory) -> MemoryStat:
    usage_bytes = number(directory.read_optional("memory.current"))
    local = flat_keyed(directory.read_optional("memory.events.local"))
    return MemoryStat(
        usage_bytes=usage_bytes,
        working_set_bytes=_working_set_bytes(usage_bytes, directory, "inactive_file"),
        peak_bytes=number(directory.read_optional("memory.peak")),
        max_bytes=number(directory.read_optional("memory.max")),
        oom_kills_local=local.get("oom_kill"),
        oom_kills=flat_keyed(directory.read_optional("memory.events")).get("oom_kill"),
        ooms_local=local.get("oom"),
    )


def _working_set_bytes(usage_bytes: int | None, directory: Directory, inactive: str) -> int | None:
    if usage_bytes is None:
        return None
    return max(usage_bytes - flat_keyed(directory.read_optional("memory.stat")).get(inactive, 0), 0)


def _make_room(directory: Directory, max_bytes: int) -> None:
    """On v2, with `memory.reclaim` (since Linux 5.19). Raises CgroupBusy if more than that stays in use."""
    used_bytes = number(directory.read_optional("memory.current"))
    if used_bytes is not None and used_bytes > max_bytes:
        with contextlib.suppress(CgroupError):  # EAGAIN: not all of it
            directory.write("memory.reclaim", str(used_bytes - max_bytes))
        used_bytes = number(directory.read_optional("memory.current"))
    if used_bytes is not None and used_bytes > max_bytes:
        message = f"{used_bytes} bytes are in use and cannot be reclaimed"
        raise CgroupBusy(errno.EBUSY, message, path=f"{directory.path}/memory.max", data=str(max_bytes))


def _rises(directory: Directory, max_bytes: int | None) -> bool:
    now_bytes = number(directory.read_optional(SWAP_V1))
    return max_bytes == UNLIMITED or (now_bytes is not None and max_bytes is not None and max_bytes > now_bytes)
