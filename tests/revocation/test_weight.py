"""An agent with its default --revocable_cpu_low_priority, and a busy neighbour: what a regular pod gets of the CPU."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import cgroupdirs
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

BUSY = ("sh", "-c", "trap 'exit 0' TERM; while :; do :; done")
CPU = 0
"""All that compete are kept on this one."""
MEASURE_S = 3.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(replace(OPTIONS, revocable_cpu_low_priority=True)) as node:
        yield node


def executor(rig: Rig, name: str, *, guard: bool) -> dict[str, Any]:
    return rig.executor(name, config={"CGROUPS_GUARD_WEIGHT": str(guard).lower()})


@contextmanager
def neighbour(rig: Rig) -> Iterator[psutil.Process]:
    """A busy container beside the executor's, with the weight of one core."""
    name = f"{rig.agent.cgroups_root}/neighbour"
    (directory,) = cpu_directories(rig.agent.cgroups_root)
    home = directory / "neighbour"
    home.mkdir()
    (home / "cpu.shares").write_text("1024")
    process = subprocess.Popen(BUSY)
    try:
        (home / "cgroup.procs").write_text(str(process.pid))
        os.sched_setaffinity(process.pid, {CPU})
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()
        assert cgroupdirs.sweep(name) == []


def cpu_directories(name: str) -> list[Path]:
    return [root for root in cgroupdirs.roots(name) if (root / "cpu.shares").exists()]


def shares(rig: Rig, scheduler: Scheduler, executor_id: str) -> int:
    (directory,) = cpu_directories(rig.agent.cgroup(scheduler.framework_id, executor_id))
    return int((directory / "cpu.shares").read_text())


def busy(rig: Rig, name: str) -> psutil.Process:
    """A pod's first process, kept on the one CPU."""
    (pod,) = [pod for pod in rig.pods() if pod["name"] == name]
    ((pid, _),) = rig.processes(pod)
    os.sched_setaffinity(pid, {CPU})
    return psutil.Process(pid)


def share(pod: psutil.Process, other: psutil.Process) -> float:
    """The pod's part of the CPU that both of them got."""
    begin = [process.cpu_times().user for process in (pod, other)]
    time.sleep(MEASURE_S)
    got = [process.cpu_times().user - at for process, at in zip((pod, other), begin, strict=True)]
    return got[0] / sum(got)


@pytest.mark.parametrize("guard", [False, True])
def test_a_regular_pod_keeps_its_share_beside_a_busy_neighbour(rig: Rig, guard: bool) -> None:
    with rig.scheduler(name="weight") as scheduler, neighbour(rig) as other:
        info = executor(rig, "mixed", guard=guard)
        scheduler.launch([rig.pod("web", cpus=1.0, command=BUSY)], info)
        scheduler.wait_status("web", "TASK_RUNNING", 30)
        web = busy(rig, "web")
        assert shares(rig, scheduler, "mixed") == 1024
        before = share(web, other)
        scheduler.launch([rig.pod("batch", cpus=1.5, command=BUSY, revocable=True)], info)
        scheduler.wait_status("batch", "TASK_RUNNING", 30)
        busy(rig, "batch")
        assert shares(rig, scheduler, "mixed") == (1024 if guard else 25)
        beside = share(web, other)
        print(
            f"\nguard_weight={guard}: share of the regular pod {before:.1%} alone, {beside:.1%} beside a revocable one"
        )
        assert before == pytest.approx(0.5, abs=0.12)
        assert beside == pytest.approx(0.5, abs=0.12) if guard else beside < 0.15
        codes = [event["code"] for event in rig.journal("mixed", scheduler)]
        assert codes.count("cgroup.weight_restored") == int(guard)
        other.suspend()  # without the guard the executor itself is starved: a kill took more than 20 s
        scheduler.kill("batch", grace_s=0)
        scheduler.wait_status("batch", "TASK_KILLED", 20)
        assert wait_for(lambda: True if shares(rig, scheduler, "mixed") == 1024 else None, 5)
    assert not any((leaks := rig.wait_clean()).values()), leaks
