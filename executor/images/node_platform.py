"""What this node runs: its machine and its CPU's flags, read once."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

from executor.images.platforms import Platform, runnable

_CPUINFO_MAX = 64 << 10


@functools.cache
def node_platforms() -> tuple[Platform, ...]:
    """The best one first."""
    return runnable(platform.machine(), _cpuinfo())


def _cpuinfo() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            return file.read(_CPUINFO_MAX)
    except OSError:
        return ""
