"""Settings of the kernel, and services of the node, that end more than a pod when a pod uses much."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

import psutil

from executor.doctor.finding import Finding, failed, passed, skipped, warned

PID_MAX_LEAST: Final = 32768
INSTANCES_LEAST: Final = 128
_SYS: Final = Path("/proc/sys")
_KILLERS: Final = ("systemd-oomd", "earlyoom", "nohang", "oomd")


def check() -> list[Finding]:
    """What may be wrong with them."""
    return [
        _of("kernel.panic_on_oom", "vm/panic_on_oom", panic_on_oom),
        _of("kernel.pid_max", "kernel/pid_max", pid_max),
        _of("kernel.inotify_instances", "fs/inotify/max_user_instances", instances),
        killers({each.info["name"] or "" for each in psutil.process_iter(["name"])}),
    ]


def _of(name: str, path: str, judge: Callable[[int], Finding]) -> Finding:
    try:
        return judge(int((_SYS / path).read_text()))
    except (OSError, ValueError) as error:
        return skipped(name, f"{path} cannot be read: {error}")


def panic_on_oom(value: int) -> Finding:
    """Pure. Source: Documentation/admin-guide/sysctl/vm.rst."""
    name = "kernel.panic_on_oom"
    if value == 2:
        text = "vm.panic_on_oom is 2: a pod that meets its memory limit brings the whole node down"
        return failed(name, text, "sysctl -w vm.panic_on_oom=0")
    if value:
        return warned(name, "vm.panic_on_oom is 1: a node without memory panics", "sysctl -w vm.panic_on_oom=0")
    return passed(name, "the kernel kills processes when memory is used up, and does not panic")


def pid_max(value: int) -> Finding:
    """Pure."""
    if value < PID_MAX_LEAST:
        text = f"kernel.pid_max is {value}: all pods and the node share so many processes and threads"
        return warned("kernel.pid_max", text, "sysctl -w kernel.pid_max=4194304")
    return passed("kernel.pid_max", f"{value} processes and threads")


def instances(value: int) -> Finding:
    """Pure. The containers of all pods that run as one user share them."""
    if value < INSTANCES_LEAST:
        text = f"fs.inotify.max_user_instances is {value}, for all containers that run as one user together"
        return warned("kernel.inotify_instances", text, "sysctl -w fs.inotify.max_user_instances=8192")
    return passed("kernel.inotify_instances", f"{value} inotify instances a user")


def killers(processes: Collection[str]) -> Finding:
    """`processes` are the names of those that run. Pure."""
    found = ", ".join(_running(processes))
    if found == _KILLERS[0]:
        text = "systemd-oomd ends revocable containers before regular ones; it may end the agent or containerd as well"
        hint = "ManagedOOMPreference=omit in the units of the agent and of containerd"
        return warned("node.oom_daemon", text, hint)
    if found:
        text = f"{found} kills whole cgroups or processes when memory is short, without regard to classes of pods"
        hint = "keep it away from the agent and containerd: ManagedOOMPreference=omit, or --avoid; or stop it"
        return warned("node.oom_daemon", text, hint)
    return passed("node.oom_daemon", "no daemon kills processes when memory is short")


def _running(processes: Collection[str]) -> Iterator[str]:
    """The kernel cuts names to 15 letters."""
    yield from (name for name in _KILLERS if name[:15] in processes)
