"""How often what fails. Published figures where there are some; the others are chosen, and far above what one sees.

Machines: J. Dean at Google I/O 2008 (datacenterknowledge.com, "Failure Rates in Google Data Centers"): in the first
year of a cluster of 1,800 servers typically 1,000 machines fail, and 20 racks, which take 40 to 80 machines along, for
1 to 6 hours. Work: C. Reiss et al., "Heterogeneity and Dynamicity of Clouds at Scale" (SoCC 2012): 25 million tasks
in 29 days on 12,500 machines, 2,000 a machine.

Nothing is published on how often a start of a container, a CNI plugin or a pull fails on one node; the rates below are
those of a bad day.
"""

from __future__ import annotations

from dataclasses import dataclass

YEAR_H = 8766.0


@dataclass(frozen=True)
class Rates:
    """`_h`: per machine and hour. `_part`: of all calls or tasks."""

    tasks_h: float = 2000 / 29 / 24
    machine_failures_h: float = 1000 / 1800 / YEAR_H
    rack_failures_h: float = 20 / 1800 / YEAR_H
    """One machine's part of the rate of a cluster: 100 machines have 100 times this."""
    executor_deaths_h: float = 1 / 720
    agent_restarts_h: float = 1 / 168
    connection_breaks_h: float = 1 / 24
    containerd_restarts_h: float = 1 / 168
    revocations_h: float = 1 / 6
    kills_part: float = 0.25
    late_part: float = 0.02
    """Calls that take seconds instead of milliseconds."""
    pull_failures_part: float = 0.02
    create_failures_part: float = 0.01
    start_failures_part: float = 0.01
    """Half of them after the process was started: the answer is lost."""
    network_failures_part: float = 0.01
    release_failures_part: float = 0.01
    shim_deaths_part: float = 0.005
    """Runs whose shim is killed: an unexplained SIGKILL."""
    repeated_exits_part: float = 0.05
    kill_failures_part: float = 0.02
    """Kills of a whole group by a revocation: the write to cgroup.kill fails."""
    stuck_part: float = 0.001
    """Kills that a process survives for minutes, as in uninterruptible sleep."""
    updates_lost_part: float = 0.02
    """Between agent and scheduler; the agent sends again."""

    def hurried(self, factor: float) -> Rates:
        """The same with so many times as many events of machines: a day has those of a month."""
        scaled = {name: value * factor for name, value in vars(self).items() if name.endswith("_h")}
        return Rates(**{**vars(self), **scaled})
