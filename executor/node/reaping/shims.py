"""The shims of a dead executor: found in its groups, or by their command line, and ended with what they leave.

containerd forgets a shim whose Create was interrupted. It then lives on without record, task and bundle; only its group
says whose it was. A shim that was killed leaves its socket, which containerd never removes.
Source: containerd, runtime/v2/README.md; unix(7), proc(5).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import signal
import socket
import stat
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cgroups import Cgroup, CgroupBusy
from cgroups.processes import signal_members
from executor.errors import ContainerdFailure
from executor.node.reaping.groups import all_pids

SOCKETS = "/run/containerd/s/"
"""Where every containerd of the node has its shims' sockets."""
_PROGRAM = b"containerd-shim"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
OLD_S = 60.0
ROUNDS = 20
DIE_S = 5.0
LOOK_S = 0.05


@dataclass(frozen=True)
class Shim:
    """`container` is the first one that it served; `bundle` is where containerd keeps that one."""

    pid: int
    namespace: str
    container: str
    sockets: tuple[Path, ...]
    bundle: Path | None


def look(pid: int) -> Shim | None:
    """None for any other process, and for one that has ended."""
    options = _options(pid)
    if "-id" not in options:
        return None
    return Shim(pid, options.get("-namespace", ""), options["-id"], _sockets(pid), _bundle(pid))


def in_groups(groups: Sequence[Cgroup]) -> list[Shim]:
    found = [look(pid) for pid in sorted(all_pids(groups))]
    return [shim for shim in found if shim is not None]


def of_containers(namespace: str, containers: Collection[str]) -> list[Shim]:
    """Those that were started for one of `containers`, wherever they run."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208  names, not paths
    found = [look(pid) for pid in pids if _options(pid).get("-id") in containers]
    return [shim for shim in found if shim is not None and shim.namespace == namespace]


def lost(namespace: str, recorded: Collection[str], known: Collection[Cgroup]) -> list[Shim]:
    """Those without a record that no group of an executor explains, and that are no longer young: one whose record was
    removed ends within moments.
    """
    grouped = all_pids(known)
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208  names, not paths
    found = [look(pid) for pid in pids if pid not in grouped and _options(pid).get("-namespace") == namespace]
    return [shim for shim in found if shim is not None and shim.container not in recorded and _age_s(shim.pid) > OLD_S]


def _age_s(pid: int) -> float:
    """0 for a process that has ended."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def end_helpers(groups: Sequence[Cgroup]) -> None:
    """SIGKILL to what is no shim: a runc that is making a container makes its cgroups again when they are removed."""
    signal_members(lambda: {pid for pid in all_pids(groups) if "-id" not in _options(pid)}, signal.SIGKILL)


async def end(groups: Sequence[Cgroup], others: Sequence[Shim] = ()) -> list[Shim]:
    """Kill everything in the groups, and `others`; remove the groups, so that containerd starts no shim in them any
    more. Returns the shims that ended. Raises ContainerdFailure where processes do not die, CgroupError.
    """
    ended = {shim.pid: shim for shim in others}
    for _ in range(ROUNDS):
        ended |= {shim.pid: shim for shim in in_groups(groups)}
        signal_members(lambda: all_pids(groups) | _living(others), signal.SIGKILL)
        if not await _gone(groups, others):
            left = sorted(all_pids(groups) | _living(others))
            raise ContainerdFailure(f"processes do not die: {left}", subject="the shims of a dead executor")
        if _removed(groups):
            break
    for shim in ended.values():
        _remove_sockets(shim)
    return list(ended.values())


def _living(shims: Sequence[Shim]) -> set[int]:
    return {shim.pid for shim in shims if _options(shim.pid).get("-id") == shim.container}


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


def remove_dead_sockets(address: str, namespace: str, groups: Collection[str]) -> int:
    """Those that a shim of one of these groups (pods) had, or that were made for it before its process, and that
    nobody serves; how many there were. `address` is containerd's own. containerd names them by a digest.
    """
    count = 0
    for group in groups:
        path = Path(SOCKETS, hashlib.sha256(f"{address}/{namespace}/{group}".encode()).hexdigest())
        if _is_dead(path):
            path.unlink(missing_ok=True)
            count += 1
    return count


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _remove_sockets(shim: Shim) -> None:
    for path in shim.sockets:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()


def _options(pid: int) -> dict[str, str]:
    """Of a shim's command line; none for any other process, and for one that has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return {}
    if not words[0].rpartition(b"/")[2].startswith(_PROGRAM):
        return {}
    texts = [word.decode(errors="replace") for word in words]
    return {word: value for word, value in pairwise(texts) if word.startswith("-")}


def _sockets(pid: int) -> tuple[Path, ...]:
    """Those that it listens on, in containerd's directory."""
    inodes = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if found := _SOCKET.fullmatch(os.readlink(link)):  # noqa: PTH115  a text, not a path
                    inodes.add(found[1])
    try:
        lines = Path(f"/proc/{pid}/net/unix").read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return ()
    sockets = (line.split() for line in lines)
    return tuple(
        Path(each[7]) for each in sockets if len(each) > 7 and each[6] in inodes and each[7].startswith(SOCKETS)
    )


def _bundle(pid: int) -> Path | None:
    """Its working directory; None if that was removed."""
    try:
        text = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115
    except OSError:
        return None
    return None if text.endswith(" (deleted)") or text == "/" else Path(text)
