"""Ending every process of a group and of all groups below it, with SIGKILL and in bounded time.

1. `cgroup.kill` in the unified hierarchy: one write, no race with forks (cgroup-v2.rst).
2. What the v1 freezer holds is thawed, for it cannot die frozen. It is thawed after the signal, so it runs no further.
3. Processes that are in a v1 hierarchy but not in the unified one, or all of them where there is no `cgroup.kill`:
   freeze in v1, SIGKILL each, thaw, look again. Without a freezer the same without freezing, as often as it takes.

What has to be done about v1 is found out before the first signal: a look at a group whose processes are dying takes
several times as long, and slows them. Children are born where their parents are, so the look cannot be outrun.

Killing is not waiting: the processes are dying when this returns. Wait with `Cgroup.wait_unpopulated`.
"""

from __future__ import annotations

import errno
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cgroups import freezer
from cgroups.descent import walk
from cgroups.errors import CgroupError, CgroupNotFound, translated
from cgroups.files import Directory
from cgroups.mounts import parse_membership
from cgroups.population import Population
from cgroups.processes import members, signal_members

_FREEZE_S = 0.2
_PAUSE_S = 0.001


class KillMethod(StrEnum):
    KILL_FILE = "cgroup.kill"
    FREEZER = "freezer"
    SIGNALS = "signals"


@dataclass(frozen=True, kw_only=True)
class KillResult:
    """How it went. `missed` is empty unless time ran out: processes that no signal has reached.

    `signalled` counts the processes that got a signal of their own; those that `cgroup.kill` reached are not counted by
    the kernel. `held_frozen` says that a group above is frozen in v1: no process here ends before that one is thawed.
    """

    method: KillMethod
    signalled: int
    rounds: int
    thawed: int
    missed: tuple[int, ...]
    held_frozen: bool
    elapsed_s: float


def kill(group: Population, timeout_s: float, *, everywhere: bool = False) -> KillResult:
    """Carries the steps above out. A group that is not there is success. May block up to `timeout_s`.

    Raises CgroupError (EDEADLK) if this very process is in the group, and PermissionError if a signal is not allowed.
    """
    _refuse_own_group(group)
    started = time.monotonic()
    listed, frozen = _look(group)
    outsiders = everywhere or group.outsiders(listed)
    by_file = _write_kill_file(group)
    thawed, held = _thaw(group) if frozen else (0, False)
    sweep = _Sweep(group, started + timeout_s)
    if outsiders or not by_file:
        sweep.run()
    return KillResult(
        method=KillMethod.KILL_FILE if by_file else sweep.method,
        signalled=len(sweep.signalled),
        rounds=sweep.rounds,
        thawed=thawed,
        missed=sweep.missed,
        held_frozen=held,
        elapsed_s=time.monotonic() - started,
    )


def write_kill_file(group: Population) -> bool:
    """See Cgroup.write_kill_file."""
    _refuse_own_group(group)
    return _write_kill_file(group)


class _Sweep:
    """The fallback: signal each process, until a look finds no new one or the time is over."""

    def __init__(self, group: Population, deadline: float) -> None:
        self._group = group
        self._deadline = deadline
        self._freezer = group.hierarchies.v1.get("freezer")
        self.method = KillMethod.SIGNALS if self._freezer is None else KillMethod.FREEZER
        self.signalled: set[int] = set()
        self.missed: tuple[int, ...] = ()
        self.rounds = 0

    def run(self) -> None:
        """The first look is at v1's witness alone, being quick; what only other hierarchies have is found after it."""
        read = self._group.witnessed
        while True:
            self.rounds += 1
            self._round(read)
            left = self._group.pids() - self.signalled
            if not left:
                return
            if time.monotonic() > self._deadline:
                self.missed = tuple(sorted(left))
                return
            read = self._group.pids
            time.sleep(_PAUSE_S)

    def _round(self, read: Callable[[], set[int]]) -> None:
        if self._freezer is None:
            self._signal(read)
            return
        try:
            freezer.freeze_v1(self._freezer, self._group.path, min(_FREEZE_S, self._deadline - time.monotonic()))
        except CgroupNotFound:
            self._signal(read)
            return
        try:
            self._signal(read)
        finally:
            freezer.thaw_v1(self._freezer, self._group.path, recursive=True)

    def _signal(self, read: Callable[[], set[int]]) -> None:
        self.signalled |= signal_members(read, signal.SIGKILL)


def _write_kill_file(group: Population) -> bool:
    if group.hierarchies.unified is None:
        return False
    try:
        with Directory.open(group.hierarchies.unified, group.path) as directory:
            directory.write("cgroup.kill", "1")
    except CgroupError:  # no such file (before Linux 5.14), no such group, or a threaded one: the sweep does it
        return False
    return True


def _look(group: Population) -> tuple[set[int], bool]:
    """What v1's witness has here, and whether a v1 freezer holds any of it."""
    point = group.hierarchies.v1.get("freezer")
    if point is None:
        return group.witnessed(), False
    try:
        with Directory.open(point, group.path) as directory:
            return _look_below(directory)
    except CgroupNotFound:
        return set(), False


def _look_below(directory: Directory) -> tuple[set[int], bool]:
    listed: set[int] = set()
    frozen = False
    for below in walk(directory):
        here = members(below, recursive=False)
        listed |= here
        frozen = frozen or bool(here and freezer.is_freezing_v1(below))
    return listed, frozen


def _thaw(group: Population) -> tuple[int, bool]:
    point = group.hierarchies.v1["freezer"]
    try:
        return freezer.thaw_v1(point, group.path, recursive=True), freezer.frozen_above_v1(point, group.path)
    except CgroupNotFound:
        return 0, False


def _refuse_own_group(group: Population) -> None:
    try:
        own = parse_membership(Path("/proc/self/cgroup").read_bytes())
    except OSError as error:  # no descriptor is left
        raise translated(error, "/proc/self/cgroup") from error
    for path in own.values():
        if path == group.path or path.startswith(f"{group.path}/"):
            raise CgroupError(errno.EDEADLK, "this process is in the group that it was asked to kill", path=group.path)
