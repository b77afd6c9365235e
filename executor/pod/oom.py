"""Whether the kernel killed a container for memory, and at which level the limit was met.

containerd's TaskOOM is not asked: with a limit on a parent group it is sent for every container below it. The leaf's
own counter of victims tells whether, and the peak use of each group on the way up tells whose limit it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cgroups import CgroupError
from executor.pod.model import Oom

if TYPE_CHECKING:
    from cgroups import Cgroup

NEARLY = 0.98
"""The kernel charges in batches of pages, so that the peak may stay a little below the limit."""


def attribute(groups: Sequence[tuple[str, Cgroup]]) -> Oom | None:
    """`groups` are the container's cgroup and those above it, each with its level's name. None: it was no OOM."""
    try:
        if not groups[0][1].stat().oom_kills_local:
            return None
        for level, group in groups:
            stat = group.stat()
            limit, peak = stat.memory_max_bytes, stat.memory_peak_bytes
            if limit is not None and peak is not None and peak >= NEARLY * limit:
                return Oom(level, limit)
    except CgroupError:
        return None
    return Oom("node")
