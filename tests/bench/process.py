"""What the executor's process costs under the real Mesos: start, memory, idle CPU."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

from tests.bench.figures import Figure, Report, Target
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for


def measure(rig: Rig, *, quick: bool, tell: Callable[[str], None]) -> Report:
    """Process start to SUBSCRIBED; RSS and CPU with one pod while nothing happens."""
    start_s = Figure.of(_start(rig, f"start-{turn}") for turn in range(5 if quick else 9))
    with rig.scheduler(name="bench") as scheduler:
        process = _launch(rig, scheduler)
        idle_mb = process.memory_info().rss / 2**20
        cpu = _idle_cpu(process, 5.0 if quick else 20.0)
    tell(f"process start to SUBSCRIBED {start_s} s")
    tell(f"RSS {idle_mb:.0f} MB with one pod; idle: {cpu * 100:.2f} % of a core")
    report = Report(
        {"start_to_subscribed_s": Target(start_s, 0.2), "rss_idle_mb": Target(Figure.of([idle_mb]), 60, timed=False)},
        {"process start to SUBSCRIBED, s": start_s, "CPU of the idle executor, % of a core": Figure.of([100 * cpu])},
    )
    report.targets["idle_cpu_fraction"] = Target(Figure.of([cpu]), 0.01)
    return report


def _launch(rig: Rig, scheduler: Scheduler) -> psutil.Process:
    """The executor's process once its first pod runs."""
    scheduler.launch([rig.pod("first", command=("sleep", "1000"))], rig.executor())
    scheduler.wait_status("first", "TASK_RUNNING", 60)
    (owner,) = rig.run_dir.glob("*.owner")
    return psutil.Process(json.loads(owner.read_text())["pid"])


def _start(rig: Rig, name: str) -> float:
    """Seconds from the start of an executor's process until the agent has subscribed it."""
    with rig.scheduler(name=name) as scheduler:
        began_s = _began_s(_launch(rig, scheduler).pid)
        events = rig.journal("mixed", scheduler)
        subscribed = next(event for event in events if event["code"] == "mesos.subscribed")
        scheduler.kill("first")
        if not wait_for(lambda: not list(rig.run_dir.glob("*.owner")) or None, 30):
            raise RuntimeError("the executor did not end with its last pod")
    return datetime.fromisoformat(subscribed["time"]).timestamp() - began_s


def _began_s(pid: int) -> float:
    """On the time of day; `create_time` counts from a time of boot that may be wrong by half a second (/proc/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age_s


def _idle_cpu(process: psutil.Process, seconds: float) -> float:
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    return max(0.0, after.user + after.system - before.user - before.system) / seconds
