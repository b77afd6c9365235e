"""The first processes of one simulated pod: how each ends, and who hears of it when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.month.node import Behaviour, Machine

SIGKILL, SIGTERM = 137, 143
STUCK_S = (5.0, 600.0)


@dataclass
class Process:
    """The first process of a run. From the time `sick_at_s` of the loop on its probes fail."""

    container: str
    pid: int
    stuck: bool = False
    oom: bool = False
    """The kernel has ended it for memory."""
    sick_at_s: float | None = None


class Processes:
    """`tell` hears of each end, twice now and then."""

    def __init__(self, machine: Machine, tell: Callable[[Process, int], None]) -> None:
        self._machine, self._tell = machine, tell
        self.living: dict[int, Process] = {}
        self.oom_kills: Counter[str] = Counter()
        """By container, in the group of its present run."""
        self._stop_s: dict[int, float | None] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def close(self) -> None:
        """Nothing ends any more."""
        for timer in self._timers.values():
            timer.cancel()

    def begin(self, process: Process, behaviour: Behaviour) -> None:
        self.living[process.pid] = process
        self._stop_s[process.pid] = behaviour.stop_s
        ends_s, code, oom = behaviour.ends_s, SIGKILL if behaviour.oom else behaviour.exit_code, behaviour.oom
        if behaviour.sick_s is not None:
            process.sick_at_s = asyncio.get_running_loop().time() + behaviour.sick_s
        if self._machine.happens(self._machine.rates.shim_deaths_part, "shim: killed"):
            ends_s, code, oom = self._machine.chance.uniform(0, ends_s), SIGKILL, False
        self._ends_in(process, ends_s, code, oom=oom)

    def terminate(self, process: Process) -> None:
        """SIGTERM, which not every one takes."""
        stop_s = self._stop_s[process.pid]
        if stop_s is not None:
            self._ends_in(process, stop_s, SIGTERM)

    def kill(self, process: Process) -> None:
        """SIGKILL, which one in uninterruptible sleep takes late."""
        if process.stuck:
            return
        delay_s = 0.005
        if self._machine.happens(self._machine.rates.stuck_part, "process: stuck"):
            process.stuck = True
            delay_s = self._machine.chance.uniform(*STUCK_S)
        self._ends_in(process, delay_s, SIGKILL)

    def _ends_in(self, process: Process, delay_s: float, code: int, *, oom: bool = False) -> None:
        loop, timer = asyncio.get_running_loop(), self._timers.pop(process.pid, None)
        if timer is not None:
            if timer.when() <= loop.time() + delay_s:
                self._timers[process.pid] = timer
                return
            timer.cancel()
        self._timers[process.pid] = loop.call_later(delay_s, self._ended, process, code, oom)

    def _ended(self, process: Process, code: int, oom: bool) -> None:
        self._timers.pop(process.pid, None)
        self.living.pop(process.pid, None)
        if oom:
            process.oom = True
            self.oom_kills[process.container] += 1
            self._machine.counts["process: ended for memory"] += 1
        told = 2 if self._machine.happens(self._machine.rates.repeated_exits_part, "exit: told twice") else 1
        for _ in range(told):
            asyncio.get_running_loop().call_later(self._machine.chance.uniform(0.001, 0.05), self._tell, process, code)
