"""Whether an agent with cgroups2 takes the OOM of one pod for one of its whole container.

Sources: src/linux/cgroups2.cpp of Mesos (OomListenerProcess reads `memory.events`); cgroup-v2.rst, memory_localevents.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cgroups import Hierarchies, Mode
from executor.doctor.finding import Finding, failed, passed

_CHECK = "agent.memory_events"
_OPTION = "memory_localevents"
_MOUNTS = Path("/proc/self/mounts")


def check(flags: Mapping[str, str]) -> list[Finding]:
    """This node and its agent are looked at. Raises CgroupError, OSError."""
    return judge(flags, Hierarchies.discover().mode, _MOUNTS.read_text())


def judge(flags: Mapping[str, str], mode: Mode, mounts: str) -> list[Finding]:
    """`mounts` is the text of /proc/self/mounts. Pure."""
    isolators = {each.strip() for each in flags.get("isolation", "").split(",")}
    if mode is not Mode.V2 or isolators.isdisjoint({"cgroups/mem", "cgroups/all"}):
        return []
    lines = (line.split(" ") for line in mounts.splitlines())
    options = {option for line in lines if line[2] == "cgroup2" for option in line[3].split(",")}
    if _OPTION in options:
        return [passed(_CHECK, "the agent takes no OOM of a pod for one of the whole container")]
    text = "the agent destroys the whole executor when any pod meets its own memory limit: memory.events counts both"
    remount = f"mount -o remount,nsdelegate,memory_recursiveprot,{_OPTION} /sys/fs/cgroup"
    return [failed(_CHECK, text, f"{remount}, or leave cgroups/mem out of --isolation")]
