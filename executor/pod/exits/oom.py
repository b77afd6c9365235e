"""Whether the kernel killed a container for memory, and at which level the limit was met.

containerd's TaskOOM does not tell: with a limit on a parent group it is sent for every container below it. The counter
of OOM kills of its own cgroup says whether a container was killed. The kernel's log says whose limit was met
(mm/oom_kill.c, dump_oom_summary: `oom_memcg` and `task_memcg`). Where that cannot be read any more, v2 has counts of
each group's own (`memory.events.local`): the nearest group that has met its limit is taken. v1 has none, and there it
is the nearest group whose use has ever reached its limit, though page cache may have done that long before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cgroups import CgroupError, oomd
from executor.names import PodClass, PodId
from executor.pod.life.events import OOMD, Oom

if TYPE_CHECKING:
    from cgroups import Cgroup, Stat, Tree
    from executor.spec.model import PodSpec

NODE = "node"
NEARLY = 0.98
"""The kernel charges in batches of pages, so that the peak may stay a little below the limit."""
_RECORD = re.compile(
    r"oom-kill:constraint=.*?(?:oom_memcg=(?P<limited>\S*?),|,global_oom,)"
    r"task_memcg=(?P<victim>\S*?),task=.*,pid=(?P<pid>\d+)"
)
_RECORD_MAX_BYTES = 8192  # CONSOLE_EXT_LOG_MAX


def attribute(groups: Sequence[tuple[str, Cgroup]], pid: int | None, pod_class: PodClass) -> Oom | None:
    """`groups` are the container's cgroup and those above it, each with its level's name; `pid` is the container's
    first process. None: it was no OOM, or the cgroup cannot be read.
    """
    try:
        if not groups[0][1].stat().oom_kills_local:
            return None
        level = level_in_log(kernel_log(), [(name, group.path) for name, group in groups], pid)
        limits = {name: limit for name, group in reversed(groups) if (limit := group.stat().memory_max_bytes)}
        oom = by_counts(groups) if level is None else Oom(level, limits.get(level))
        return replace(oom, revocable=pod_class is PodClass.REVOCABLE)
    except CgroupError:
        return None


def of_container(tree: Tree, spec: PodSpec, pod: PodId, container: str, pid: int | None) -> Oom | None:
    """The kill of `container`, whose first process was `pid`. None: as for `attribute`."""
    return attribute(_levels(tree, spec, pod, container), pid, spec.pod_class)


def of_daemon(tree: Tree, spec: PodSpec, pod: PodId, container: str) -> Oom | None:
    """The end of `container` by systemd-oomd; None: that has not ended it."""
    if not oomd.has_killed(tree.container(spec.pod_class, spec.role, pod, container)):
        return None
    return Oom(OOMD, revocable=spec.pod_class is PodClass.REVOCABLE)


def _levels(tree: Tree, spec: PodSpec, pod: PodId, container: str) -> list[tuple[str, Cgroup]]:
    """The groups whose limits a container can meet, from its own upwards."""
    names = spec.role.split("/")
    roles = ["/".join(names[:length]) for length in range(len(names), 0, -1)]
    return [
        ("container", tree.container(spec.pod_class, spec.role, pod, container)),
        ("pod", tree.pod(spec.pod_class, spec.role, pod)),
        *(("role", tree.role(spec.pod_class, role)) for role in roles),
        ("class", tree.subtree(spec.pod_class)),
        ("executor", tree.root),
    ]


def level_in_log(lines: Sequence[str], groups: Sequence[tuple[str, str]], pid: int | None) -> str | None:
    """The level that the newest record of this container names, best one of its first process. None: there is none.

    Paths in the log begin at the hierarchy's root, those of `groups` perhaps below it: in a cgroup namespace.
    """
    leaf = groups[0][1]
    found = None
    for line in lines:
        match = _RECORD.search(line)
        if match is None or f"{leaf}/" not in f"{match['victim']}/":
            continue
        above = match["victim"][: f"{match['victim']}/".index(f"{leaf}/")]
        level = _level(match["limited"], above, groups)
        if pid is not None and int(match["pid"]) == pid:
            return level
        found = level
    return found


def _level(limited: str | None, above: str, groups: Sequence[tuple[str, str]]) -> str:
    if limited is None:
        return NODE
    if limited.startswith(f"{above}{groups[0][1]}/"):  # the container has groups of its own
        return groups[0][0]
    return next((name for name, path in groups if above + path == limited), NODE)


def kernel_log() -> list[str]:
    """The records that are kept, oldest first; none where they may not be read (kernel.dmesg_restrict)."""
    try:
        return list(_records())
    except OSError:
        return []


def _records() -> Iterator[str]:
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            try:
                yield os.read(fd, _RECORD_MAX_BYTES).decode(errors="replace")
            except BlockingIOError:
                return
            except BrokenPipeError:  # overwritten while it was read: the next read finds the oldest that is left
                continue
    finally:
        os.close(fd)


def by_counts(groups: Sequence[tuple[str, Cgroup]]) -> Oom:
    """Without the kernel's log. Raises CgroupError."""
    for level, group in groups:
        stat = group.stat()
        if stat.ooms_local or (stat.ooms_local is None and _has_been_full(stat)):
            return Oom(level, stat.memory_max_bytes)
    return Oom(NODE)


def _has_been_full(stat: Stat) -> bool:
    limit, peak = stat.memory_max_bytes, stat.memory_peak_bytes
    return limit is not None and peak is not None and peak >= NEARLY * limit
