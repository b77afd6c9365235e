"""Whether the agent ends an executor whose sandbox holds more than its disk resources. Pure.

Source: src/slave/containerizer/mesos/isolators/posix/disk.cpp and xfs/disk.cpp of Mesos 1.11. disk/du (also posix/disk)
runs du on the sandbox and compares with the disk of the executor and of its tasks, where there is any; root file
systems of containerd are not in it. disk/xfs lets the kernel hold the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

COUNTING: Final = frozenset({"disk/du", "posix/disk"})
QUOTAS: Final = "disk/xfs"


def enforces(flags: Mapping[str, str]) -> bool:
    """By the agent's flags, as GET /flags tells them."""
    isolators = {each.strip() for each in flags.get("isolation", "").split(",")}
    counted = bool(isolators & COUNTING) and flags.get("enforce_container_disk_quota", "false") == "true"
    return counted or QUOTAS in isolators
