"""The shims of a dead executor: found in its groups, or by their command line, and ended with what they leave.

containerd forgets a shim whose Create was interrupted. It then lives on without record, task and bundle; only its group
says whose it was. A shim that was killed leaves its socket, which containerd never removes.
Source: containerd, runtime/v2/README.md; unix(7), proc(5).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cgroups import Cgroup, CgroupBusy
from cgroups.processes import signal_members
from executor.errors import ContainerdFailure
from executor.node import shim_processes, shim_sockets
from executor.node.reaping.groups import all_pids
from executor.node.shim_processes import Shim

OLD_S = 60.0
ROUNDS = 20
DIE_S = 5.0
LOOK_S = 0.05


@dataclass(frozen=True)
class FoundShim:
    """What a shim holds beside itself, which cannot be found any more once it has ended. `bundle` is where containerd
    keeps its first container; None if that was removed.
    """

    shim: Shim
    sockets: tuple[Path, ...]
    bundle: Path | None


def in_groups(groups: Sequence[Cgroup]) -> list[Shim]:
    """The shims in these groups, of any namespace of containerd's."""
    found = [shim_processes.look(pid) for pid in sorted(all_pids(groups))]
    return [shim for shim in found if shim is not None]


def lost(namespace: str, recorded: Collection[str], known: Collection[Cgroup]) -> list[Shim]:
    """Those without a record that no group of an executor explains, and that are no longer young: one whose record was
    removed ends within moments.
    """
    grouped = all_pids(known)
    shims = [shim for shim in shim_processes.running(namespace) if shim.pid not in grouped]
    return [shim for shim in shims if shim.container not in recorded and shim.age_s() > OLD_S]


def end_helpers(groups: Sequence[Cgroup]) -> None:
    """SIGKILL to what is not a shim: a runc that makes a container makes its cgroups again when they are removed."""
    signal_members(lambda: {pid for pid in all_pids(groups) if shim_processes.look(pid) is None}, signal.SIGKILL)


async def end(groups: Sequence[Cgroup], others: Sequence[Shim] = ()) -> list[FoundShim]:
    """Kill everything in the groups, and `others`; remove the groups, so that containerd starts no shim in them any
    more. Returns the shims that ended. Raises ContainerdFailure where processes do not die, CgroupError.
    """
    ended = {shim: _found(shim) for shim in others}
    for _ in range(ROUNDS):
        ended |= {shim: _found(shim) for shim in in_groups(groups) if shim not in ended}
        signal_members(lambda: all_pids(groups) | _living(others), signal.SIGKILL)
        if not await _gone(groups, others):
            left = sorted(all_pids(groups) | _living(others))
            raise ContainerdFailure(f"processes do not die: {left}", subject="the shims of a dead executor")
        if _removed(groups):
            break
    for found in ended.values():
        _remove_sockets(found)
    return list(ended.values())


def _found(shim: Shim) -> FoundShim:
    return FoundShim(shim, shim_sockets.of_process(shim.pid), _bundle(shim.pid))


def _living(shims: Sequence[Shim]) -> set[int]:
    return {shim.pid for shim in shims if shim.lives()}


async def _gone(groups: Sequence[Cgroup], others: Sequence[Shim]) -> bool:
    for _ in range(round(DIE_S / LOOK_S)):
        if not all_pids(groups) and not _living(others):
            return True
        await asyncio.sleep(LOOK_S)
    return False


def _removed(groups: Sequence[Cgroup]) -> bool:
    """A shim that was being started may have joined a group meanwhile."""
    try:
        for group in groups:
            group.destroy()
    except CgroupBusy:
        return False
    return True


def _remove_sockets(found: FoundShim) -> None:
    for path in found.sockets:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()


def _bundle(pid: int) -> Path | None:
    """Its working directory; None if that was removed."""
    try:
        text = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115
    except OSError:
        return None
    return None if text.endswith(" (deleted)") or text == "/" else Path(text)
