"""Whether the agent ends an executor whose sandbox holds more than its disk resources.

Source: src/slave/containerizer/mesos/isolators/posix/disk.cpp and xfs/disk.cpp of Mesos 1.11. disk/du (also posix/disk)
runs du on the sandbox and compares with the disk of the executor and of its tasks, where there is any; root file
systems of containerd are not in it. disk/xfs lets the kernel hold the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from executor.errors import MesosFailure

COUNTING: Final = frozenset({"disk/du", "posix/disk"})
QUOTAS: Final = "disk/xfs"


def enforced(endpoint: str) -> bool:
    """By the flags of the agent at `endpoint`; True also where it does not tell, for that is the safe answer."""
    from executor.doctor.agent import ask

    try:
        return enforces(ask(endpoint).flags)
    except MesosFailure:
        return True


def enforces(flags: Mapping[str, str]) -> bool:
    """Pure."""
    isolators = {each.strip() for each in flags.get("isolation", "").split(",")}
    counted = bool(isolators & COUNTING) and flags.get("enforce_container_disk_quota", "false") == "true"
    return counted or QUOTAS in isolators
