"""Pods of both classes on cgroup v2: what the kernel holds for them, and a revocation that is proven."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cgroups import Hierarchies, Mode
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import DAEMONS, PREEMPTED, how, regular, run
from tests.support.rig import Rig, wait_for
from tests.vm.groups import MIB, POINT, by_name, class_group, group, keyed, number, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

CONTROLLERS = {"cpu", "memory", "pids"}
Pod = dict[str, Any]


def test_the_machine_has_cgroup_v2_alone() -> None:
    hierarchies = Hierarchies.discover()
    assert (hierarchies.mode, hierarchies.points) == (Mode.V2, (POINT,))
    assert {*CONTROLLERS, "cpuset", "io", "hugetlb"} <= set(text(POINT, "cgroup.controllers").split())


def test_doctor_finds_nothing_that_fails(rig: Rig) -> None:
    report = rig.command("doctor", check=False)
    print(report.stdout)
    assert report.returncode == 0, report.stdout
    program = "runc" if "bookworm" in Path("/etc/os-release").read_text() else "crun"  # Debian 12 has crun 1.8
    assert re.search(rf"containerd\.runtime: (/usr/bin/)?{program}: ", report.stdout), report.stdout


def test_the_files_of_both_classes_and_a_proven_revocation(rig: Rig, scheduler: Scheduler) -> None:
    run(
        rig,
        scheduler,
        rig.pod("batch", cpus=1.0, mem=48, command=DAEMONS, revocable=True),
        rig.pod("more", cpus=0.5, mem=32, revocable=True),
    )
    pods = by_name(rig)
    keeper, batch = group(pods["keeper"]["cgroup"]), group(pods["batch"]["cgroup"])
    revocable, protected = class_group(pods["batch"]), class_group(pods["keeper"])
    for level in (root_group(pods["keeper"]), protected, revocable, keeper):
        assert set(text(level, "cgroup.subtree_control").split()) >= CONTROLLERS, level
    assert (number(protected, "cpu.weight"), number(keeper, "cpu.weight")) == (100, 100)
    assert (number(protected, "cpu.idle"), number(revocable, "cpu.idle")) == (0, 1)
    assert text(keeper / "app", "cpu.max") == "50000 100000"
    assert (number(keeper, "memory.max"), number(keeper / "app", "memory.max")) == (64 * MIB, 40 * MIB)
    assert number(keeper, "memory.swap.max") == 0
    assert (number(revocable, "memory.max"), number(batch, "memory.max")) == (80 * MIB, 48 * MIB)
    assert text(protected, "memory.max") == "max"
    for level in (keeper, *keeper.parents):
        if level == root_group(pods["keeper"]).parent:
            break
        assert number(level, "memory.min") == 64 * MIB, level
    assert number(revocable, "memory.min") == 0
    adjusted = {Path(f"/proc/{pid}/oom_score_adj").read_text().strip() for pid, _ in rig.processes(pods["keeper"])}
    assert adjusted == {"-500"}

    before = regular(rig)
    receipt = rig.json("revoke", "--all")
    assert receipt["state"] == "done" and receipt["regular"]["unchanged"]
    assert receipt["regular"]["processes"] == len(before["keeper"]) == 2
    assert keyed(revocable, "cgroup.events")["populated"] == 0
    assert regular(rig) == before
    for task in ("batch", "more"):
        assert how(scheduler.wait_status(task, ("TASK_GONE", "TASK_LOST"))) == PREEMPTED


def test_a_regular_process_in_the_revocable_subtree_stops_a_revocation(
    rig: Rig, scheduler: Scheduler, keeper: Pod
) -> None:
    """A container's first process, and a child of it, which containerd does not know."""
    run(rig, scheduler, rig.pod("lent", revocable=True))
    lent = by_name(rig)["lent"]
    before = [rig.processes(pod) for pod in (keeper, lent)]
    first = keeper["containers"][0]["pid"]
    for pid in (first, psutil.Process(first).children()[0].pid):
        (group(lent["cgroup"]) / "app/cgroup.procs").write_text(str(pid))
        refused = rig.command("revoke", "--all", check=False)
        (group(keeper["cgroup"]) / "app/cgroup.procs").write_text(str(pid))
        assert refused.returncode and f"its process {pid} is in the revocable subtree" in refused.stderr
        assert [rig.processes(pod) for pod in (keeper, lent)] == before
    assert rig.json("revoke", "--all")["state"] == "done"


def test_pods_end_with_an_executor_that_is_killed(rig: Rig, scheduler: Scheduler) -> None:
    """The agent made no cgroup that it could end."""
    tasks = [rig.pod("kept", command=DAEMONS), rig.pod("borrowed", command=DAEMONS, revocable=True)]
    scheduler.launch(tasks, rig.executor("killed"))
    for task in ("kept", "borrowed"):
        scheduler.wait_status(task, "TASK_RUNNING", 60)
    pods = [pod for name, pod in by_name(rig).items() if name in ("kept", "borrowed")]
    processes = [psutil.Process(pid) for pod in pods for pid, _ in rig.processes(pod)]
    (owner,) = [path for path in rig.run_dir.glob("*.owner") if path.stem in pods[0]["cgroup"]]
    executor = psutil.Process(json.loads(owner.read_text())["pid"])
    begin = time.monotonic()
    os.kill(executor.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(processes, 2)
    print(f"{len(processes)} processes ended {time.monotonic() - begin:.2f} s after their executor")
    assert len(processes) > 6 and not left
    for task in ("kept", "borrowed"):
        scheduler.wait_status(task, TERMINAL)
    assert wait_for(lambda: None if owner.exists() else True, 30), "the watcher reaps the rest"
