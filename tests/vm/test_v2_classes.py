"""What the classes get of disks and CPUs on cgroup v2, and how the kernel ends a container that is out of memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import run
from tests.support.rig import IMAGE, Rig, wait_for
from tests.vm.groups import by_name, class_group, group, keyed, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

OWN = {"CGROUPS_REVOCABLE_CPUS": "1", "CGROUPS_REVOCABLE_IO_MAX": "/ rbps=20Mi wiops=100"}


def test_disks_and_cpus_of_the_classes(rig: Rig, scheduler: Scheduler) -> None:
    """The kernel's files of both classes; a container has what its class has."""
    tasks = [rig.pod("web"), rig.pod("batch", revocable=True)]
    scheduler.launch(tasks, rig.executor("disks", config=OWN))
    for name in ("web", "batch"):
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    pods = by_name(rig)
    regular, revocable = class_group(pods["web"]), class_group(pods["batch"])
    for directory, weight in ((regular, 100), (revocable, 1)):
        weights = [directory / file for file in ("io.weight", "io.bfq.weight") if (directory / file).exists()]
        assert all(f"default {weight}" in path.read_text() for path in weights), weights
    root = Path("/").stat().st_dev
    limit = f"{os.major(root)}:{os.minor(root)} rbps={20 << 20} wbps=max riops=max wiops=100"
    assert (text(regular, "io.max"), text(revocable, "io.max")) == ("", limit)
    assert (text(regular, "cpuset.cpus"), text(revocable, "cpuset.cpus")) == ("", "1")
    assert text(group(pods["batch"]["cgroup"]) / "app", "cpuset.cpus.effective") == "1"
    assert text(group(pods["web"]["cgroup"]) / "app", "cpuset.cpus.effective") == f"0-{(os.cpu_count() or 1) - 1}"
    pid = pods["batch"]["containers"][0]["pid"]
    assert os.sched_getaffinity(pid) == {1}


def test_an_oom_ends_the_container_as_a_whole(rig: Rig, scheduler: Scheduler) -> None:
    """The victim is a child; its container ends with it, and the other container of the pod and its neighbours do not.
    What the Mesos container's group counts is why an agent with cgroups2 must not look there.
    """
    child = ("sh", "-c", "sleep 2; dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 1000")
    tight = {"resources": {"limits": {"memory": "24Mi"}}}
    app = {"name": "app", "image": IMAGE, "command": list(child), **tight}
    beside = {"name": "beside", "image": IMAGE, "command": ["sleep", "1000"]}
    run(rig, scheduler, rig.pod("hog", mem=64, spec={"containers": [app, beside]}), rig.pod("innocent"))
    pods = by_name(rig)
    root = root_group(pods["hog"])
    before, counted = rig.processes(pods["innocent"]), keyed(root, "memory.events")["oom"]
    ooms = wait_for(lambda: of_pod(rig, scheduler, pods["hog"], "pod.oom") or None, 60)
    assert ooms and [(each["container"], each["oom"], each["exit_code"]) for each in ooms] == [
        ("app", "container", 137)
    ]
    commands = {psutil.Process(pid).cmdline()[0] for pid, _ in rig.processes(by_name(rig)["hog"])}
    assert commands == {"sleep"}, "what is left is the other container's"
    assert rig.processes(pods["innocent"]) == before
    assert keyed(root, "memory.events")["oom"] > counted, "it is counted in every group above"
    assert keyed(root, "memory.events.local")["oom"] == 0


def of_pod(rig: Rig, scheduler: Scheduler, pod: Mapping[str, Any], code: str) -> list[dict[str, Any]]:
    """The events of a pod in the journal of the executor that all tests share."""
    found = rig.journal("mixed", scheduler)
    return [event for event in found if (event["code"], event.get("pod")) == (code, pod["pod"])]
