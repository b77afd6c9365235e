"""A control group: one path in every hierarchy of the machine, so that v1, hybrid and v2 look the same from outside.

Holds no descriptors between calls, caches nothing, owns nothing but the path: two objects of the same path are equal.
All calls are synchronous and short, but for `wait_unpopulated`; `freeze` and `kill` are bounded by their time-out.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack
from dataclasses import dataclass

from cgroups import cpu, cpuset, create, freezer, memory, pids
from cgroups.controller import Home
from cgroups.errors import CgroupError, CgroupNotFound
from cgroups.files import Directory
from cgroups.kill import KillResult, kill, write_kill_file
from cgroups.limits import Controller, Limits, Stat, stat_of
from cgroups.mounts import V1_NAMES, Mode
from cgroups.population import Population
from cgroups.pressure import Pressure, Resource, parse_pressure
from cgroups.watch import wait_unpopulated

_CONTROLLERS = ("cpu", "memory", "pids", "io", "cpuset")
"""runc and crun pass on every controller that there is, in every group above a container's."""


@dataclass(frozen=True)
class Cgroup(Population):
    """`path` is absolute and below the root. Raises InvalidName for anything else, CgroupError (EPERM) for the root."""

    def child(self, name: str) -> Cgroup:
        """The group `name` below this one; `name` is a directory name (see names.escape)."""
        return Cgroup(self.hierarchies, f"{self.path}/{name}")

    def ensure(self, *, with_controllers: bool = True) -> None:
        """Makes the group, and what is missing above it, in every hierarchy. Idempotent.

        On v2 every group above then passes the controllers on that it has, and can hold no process itself: raises
        CgroupBusy if one does. Make the leaf that such processes are to move to `with_controllers=False` first.
        """
        v1_names = {name: V1_NAMES.get(name, name) for name in _CONTROLLERS} if with_controllers else {}
        wanted = [name for name, v1_name in v1_names.items() if v1_name not in self.hierarchies.v1]
        for point in self.hierarchies.points:
            v1 = self.hierarchies.controllers(point)
            create.ensure(point, self.path, v1=v1, delegate=wanted if point == self.hierarchies.unified else ())

    def exists(self) -> bool:
        """Whether any hierarchy has it."""
        return any(True for _ in self.opened(self.hierarchies.points))

    def destroy(self) -> None:
        """Removes it and everything below it from every hierarchy. What is not there is success.

        Raises CgroupBusy, naming path and pids, while a process lives in it: kill and wait first.
        """
        for point in self.hierarchies.points:
            create.remove(point, self.path)

    def prune(self) -> bool:
        """Removes the group from each hierarchy, up to the first where it has a process or a child; whether it is gone
        from all.
        """
        return all(create.remove_if_empty(point, self.path) for point in self.hierarchies.points)

    def children(self) -> list[str]:
        """The names of the groups right below, in any hierarchy, sorted; none if the group does not exist."""
        return sorted({name for group in self.opened(self.hierarchies.points) for name in group.subdirectories()})

    def attach(self, pid: int) -> None:
        """Moves a process, with all its threads, here in every hierarchy. Raises CgroupError (ESRCH if it is gone)."""
        for point in self.hierarchies.points:
            with Directory.open(point, self.path) as directory:
                directory.write("cgroup.procs", str(pid))

    def apply(self, limits: Limits) -> list[str]:
        """Writes the settings that are not None; returns the files that the kernel here does not have, in order.

        Raises CgroupNotFound if the group is missing, and CgroupError, with the value, where one is refused.
        """
        return [file for part in limits.controllers() for file in self._apply(part)]

    def freeze(self, timeout_s: float = 1.0) -> bool:
        """Stops every process here and below; True once all have stopped, False if that took too long.

        The unified hierarchy's freeze is preferred: what it holds can be killed. v1's joins for outsiders only. Stays
        asked for after False: `thaw` takes it back.
        """
        frozen = True
        if self.hierarchies.unified is not None:
            frozen = freezer.freeze_v2(self.hierarchies.unified, self.path, timeout_s)
        v1 = self.hierarchies.v1.get("freezer")
        if v1 is not None and (self.hierarchies.unified is None or self.outsiders()):
            frozen = freezer.freeze_v1(v1, self.path, timeout_s) and frozen
        return frozen

    def thaw(self) -> None:
        """Takes back a freeze of this group by either freezer; one of a group above or below stays."""
        if self.hierarchies.unified is not None:
            freezer.thaw_v2(self.hierarchies.unified, self.path)
        if "freezer" in self.hierarchies.v1:
            freezer.thaw_v1(self.hierarchies.v1["freezer"], self.path, recursive=False)

    def is_frozen(self) -> bool:
        """Whether either freezer holds the processes here, by this group's own or a group above's doing."""
        if any(freezer.is_frozen_v2(directory) for directory in self.opened(self.unified)):
            return True
        v1 = [self.hierarchies.v1["freezer"]] if "freezer" in self.hierarchies.v1 else []
        return any(freezer.is_frozen_v1(directory) for directory in self.opened(v1))

    def write_kill_file(self) -> bool:
        """One write to `cgroup.kill`, with no look before or after. False where there is no such file.

        Quick because it misses what a v1 freezer holds and what is in a v1 hierarchy only: see afterwards whether it is
        `populated`, and `kill` then. Raises CgroupError (EDEADLK) if this very process is in the group.
        """
        return write_kill_file(self)

    def kill(self, timeout_s: float = 5.0, *, everywhere: bool = False) -> KillResult:
        """SIGKILL to everything here and below (see kill.py). Returns while they die: `wait_unpopulated` comes next.

        `everywhere` looks for processes in every hierarchy, not only in v1's witness (20 ms for 100 groups): for the
        second attempt, or after `destroy` has met one.
        """
        return kill(self, timeout_s, everywhere=everywhere)

    async def wait_unpopulated(self, timeout_s: float) -> bool:
        """True once `populated` is False (at once if the group is gone), False after `timeout_s`.

        Sleeps until the kernel reports a change of `cgroup.events`, or, for processes in v1 only, until they end.
        """
        return await wait_unpopulated(self, timeout_s)

    def stat(self) -> Stat:
        """Usage of the group and everything below it; None for all that is not accounted here."""
        with ExitStack() as held:
            cpu_home = self._home("cpu", held)
            cpuacct = self._home("cpuacct", held) or cpu_home
            return stat_of(
                cpu.stat(cpu_home, cpuacct),
                memory.stat(self._home("memory", held)),
                pids.stat(self._home("pids", held)),
            )

    def memory_bytes(self) -> int | None:
        """As in `stat`, from one file: for a measurement that others wait for."""
        with ExitStack() as held:
            return memory.usage_bytes(self._home("memory", held))

    def cpu_usage_usec(self) -> int | None:
        """As in `stat`, from one file."""
        with ExitStack() as held:
            return cpu.usage_usec(self._home("cpuacct", held) or self._home("cpu", held))

    def cpu_weight(self) -> int | None:
        """On cgroup2's scale; None where there is no cpu controller."""
        with ExitStack() as held:
            return cpu.weight(self._home("cpu", held))

    def effective_cpus(self) -> frozenset[int] | None:
        """The CPUs that processes here may run on; None where no cpuset controller has the group."""
        with ExitStack() as held:
            return cpuset.effective(self._home("cpuset", held))

    def pressure(self, resource: Resource) -> Pressure | None:
        """PSI of the group; None without a unified hierarchy, on a kernel without PSI, and where the group is gone."""
        for directory in self.opened(self.unified):
            try:
                text = directory.read_optional(f"{resource}.pressure")
            except CgroupError as error:
                if error.errno != errno.EOPNOTSUPP:  # psi=0, or cgroup.pressure is off
                    raise
                text = None
            return None if text is None else parse_pressure(text)
        return None

    def _home(self, controller: str, held: ExitStack) -> Home | None:
        home = self.hierarchies.home(controller)
        if home is None:
            return None
        try:
            return held.enter_context(Directory.open(home[0], self.path)), home[1]
        except CgroupNotFound:
            return None

    def _apply(self, part: Controller) -> list[str]:
        home = self.hierarchies.home(part.controller)
        if home is None:
            return list(part.values(Mode.V2))
        if part == type(part)():
            return []
        with Directory.open(home[0], self.path) as directory:
            return part.write(directory, home[1])
