"""Pods of both classes on cgroup v2: what the kernel holds for them, and a revocation that is proven."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cgroups import Hierarchies, Mode
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.patience import patient
from tests.support.revoking import DAEMONS, PREEMPTED, how, regular, run
from tests.support.rig import Rig, wait_for
from tests.vm.groups import MIB, POINT, class_group, group, keyed, number, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

CONTROLLERS = {"cpu", "memory", "pids"}
FAMILY = ("sh", "-c", "sleep 1000 & exec sleep 1000")
LIMITS = {"resources": {"limits": {"cpu": "500m", "memory": "40Mi"}}}


def by_name(rig: Rig) -> dict[str, dict[str, Any]]:
    return {pod["name"]: pod for pod in rig.pods()}


def test_the_machine_has_cgroup_v2_alone() -> None:
    hierarchies = Hierarchies.discover()
    assert (hierarchies.mode, hierarchies.points) == (Mode.V2, (POINT,))
    assert {*CONTROLLERS, "cpuset", "io"} <= set(text(POINT, "cgroup.controllers").split())


def test_doctor_finds_nothing_that_fails(rig: Rig) -> None:
    report = rig.command("doctor", check=False)
    print(report.stdout)
    assert report.returncode == 0, report.stdout


def test_the_files_of_both_classes_and_a_proven_revocation(rig: Rig, scheduler: Scheduler) -> None:
    run(
        rig,
        scheduler,
        rig.pod("web", cpus=1.0, mem=64, command=FAMILY, container=LIMITS),
        rig.pod("batch", cpus=1.0, mem=48, command=DAEMONS, revocable=True),
        rig.pod("more", cpus=0.5, mem=32, revocable=True),
    )
    pods = by_name(rig)
    web, batch = group(pods["web"]["cgroup"]), group(pods["batch"]["cgroup"])
    revocable, protected = class_group(pods["batch"]), class_group(pods["web"])
    for level in (root_group(pods["web"]), protected, revocable, web):
        assert set(text(level, "cgroup.subtree_control").split()) >= CONTROLLERS, level
    assert (number(protected, "cpu.weight"), number(web, "cpu.weight")) == (100, 100)
    assert (number(protected, "cpu.idle"), number(revocable, "cpu.idle")) == (0, 1)
    assert text(web / "app", "cpu.max") == "50000 100000"
    assert (number(web, "memory.max"), number(web / "app", "memory.max")) == (64 * MIB, 40 * MIB)
    assert number(web, "memory.swap.max") == 0
    assert (number(revocable, "memory.max"), number(batch, "memory.max")) == (80 * MIB, 48 * MIB)
    assert text(protected, "memory.max") == "max"
    for level in (web, *web.parents):
        if level == root_group(pods["web"]).parent:
            break
        assert number(level, "memory.min") == 64 * MIB, level
    assert number(revocable, "memory.min") == 0
    assert {Path(f"/proc/{pid}/oom_score_adj").read_text().strip() for pid, _ in rig.processes(pods["web"])} == {"-500"}

    before = regular(rig)
    receipt = rig.json("revoke", "--all")
    assert receipt["state"] == "done" and receipt["regular"]["unchanged"]
    assert receipt["regular"]["processes"] == len(before["web"]) == 2
    assert keyed(revocable, "cgroup.events")["populated"] == 0
    assert regular(rig) == before
    for task in ("batch", "more"):
        assert how(scheduler.wait_status(task, ("TASK_GONE", "TASK_LOST"))) == PREEMPTED


@pytest.mark.parametrize("moved", ["first", "child"])
def test_a_regular_process_in_the_revocable_subtree_stops_a_revocation(
    rig: Rig, scheduler: Scheduler, moved: str
) -> None:
    run(rig, scheduler, rig.pod("web", command=FAMILY), rig.pod("batch", revocable=True))
    pods = by_name(rig)
    before = {name: rig.processes(pod) for name, pod in pods.items()}
    first = pods["web"]["containers"][0]["pid"]
    pid = first if moved == "first" else psutil.Process(first).children()[0].pid
    (group(pods["batch"]["cgroup"]) / "app/cgroup.procs").write_text(str(pid))
    refused = rig.command("revoke", "--all", check=False)
    (group(pods["web"]["cgroup"]) / "app/cgroup.procs").write_text(str(pid))
    assert refused.returncode and f"its process {pid} is in the revocable subtree" in refused.stderr
    assert {name: rig.processes(pod) for name, pod in by_name(rig).items()} == before
    assert rig.json("revoke", "--all")["state"] == "done"


def test_pods_end_with_an_executor_that_is_killed(rig: Rig, scheduler: Scheduler) -> None:
    """The agent made no cgroup that it could end."""
    run(rig, scheduler, rig.pod("web", command=DAEMONS), rig.pod("batch", command=DAEMONS, revocable=True))
    processes = [psutil.Process(pid) for pod in rig.pods() for pid, _ in rig.processes(pod)]
    (owner,) = rig.run_dir.glob("*.owner")
    begin = time.monotonic()
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    _, left = psutil.wait_procs(processes, patient(2))
    print(f"{len(processes)} processes ended {time.monotonic() - begin:.2f} s after their executor")
    assert processes and not left
    for task in ("web", "batch"):
        scheduler.wait_status(task, TERMINAL)
    assert wait_for(lambda: None if list(rig.run_dir.glob("*.owner")) else True, 30), "the watcher reaps the rest"
