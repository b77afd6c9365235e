"""Containers on cgroup v2 that runc runs, that get other amounts, and that have huge pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import DAEMONS, PREEMPTED, how, run
from tests.support.rig import Rig, wait_for
from tests.vm.groups import MIB, by_name, class_group, group, keyed, number, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HOG = "dd if=/dev/zero of=/dev/null bs=60M count=1"
CHILD = "pod.child_oom"


def test_runc_runs_pods_of_both_classes(rig: Rig, scheduler: Scheduler) -> None:
    """crun is the default here. The kernel kills a child alone, and the container's first process goes on."""
    limits = {"resources": {"limits": {"cpu": "500m", "memory": "40Mi"}}}
    config = {"CONTAINERD_RUNTIME": "runc", "PODS_SINGLE_PROCESS_OOM_KILL": "true"}
    line = ("sh", "-c", f"sleep 1; {HOG}; sleep 1000")
    tasks = [
        rig.pod("kept", cpus=0.5, mem=64, command=line, container=limits),
        rig.pod("borrowed", mem=32, command=DAEMONS, revocable=True),
    ]
    scheduler.launch(tasks, rig.executor("runc", config=config))
    for task in ("kept", "borrowed"):
        scheduler.wait_status(task, "TASK_RUNNING", 60)
    pods = by_name(rig)
    app = group(pods["kept"]["cgroup"]) / "app"
    assert (text(app, "cpu.max"), number(app, "memory.max")) == ("50000 100000", 40 * MIB)
    found = wait_for(lambda: [each for each in rig.journal("runc", scheduler) if each["code"] == CHILD] or None, 20)
    assert found and [(each["task"], each["oom"], each["limit_bytes"]) for each in found] == [
        ("kept", "container", 40 * MIB)
    ]
    assert rig.command("exec", "kept", "--", "echo", "inside").stdout == "inside\n"
    before = rig.processes(pods["kept"])
    assert rig.json("revoke", "--all")["state"] == "done"
    assert how(scheduler.wait_status("borrowed", ("TASK_GONE", "TASK_LOST"))) == PREEMPTED
    assert keyed(class_group(pods["borrowed"]), "cgroup.events")["populated"] == 0
    assert rig.processes(pods["kept"]) == before != []


def test_a_container_gets_other_amounts(rig: Rig, scheduler: Scheduler) -> None:
    resources = {"limits": {"cpu": "50m", "memory": "16Mi"}}
    run(rig, scheduler, rig.pod("grows", cpus=0.5, mem=64, container={"resources": resources}))
    app = group(by_name(rig)["grows"]["cgroup"]) / "app"
    assert (text(app, "cpu.max"), number(app, "memory.max")) == ("5000 100000", 16 * MIB)
    weight = number(app, "cpu.weight")
    wanted = {"limits": {"cpu": "400m", "memory": "48Mi"}, "requests": {"cpu": "200m"}}
    assert "resized" in resized(rig, scheduler, "grows", wanted)
    assert (text(app, "cpu.max"), number(app, "memory.max")) == ("40000 100000", 48 * MIB)
    assert number(app, "cpu.weight") > weight
    refused = resized(rig, scheduler, "grows", {"limits": {"memory": "100Mi"}})
    assert "task's mem" in refused["error"]["message"] and number(app, "memory.max") == 48 * MIB


@pytest.mark.parametrize("runtime", ["auto", "runc"])
def test_the_nodes_console_and_tun_stay_closed(rig: Rig, scheduler: Scheduler, runtime: str) -> None:
    """auto is crun here, which allows both to each container. A program of the container's group denies them, in the
    processes of an exec too, and other amounts change nothing of that. All else is as it was.
    """
    opened = 'for n in /made /tun /dev/null /dev/tty0; do (exec 3<>"$n") 2>/dev/null && echo "opened $n"; done; true'
    script = f"mknod /made c 5 1 && mknod /tun c 10 200 && mknod /dev/tty0 c 4 0; {opened}; echo end; exec sleep 1000"
    limits = {"resources": {"limits": {"cpu": "500m", "memory": "40Mi"}}}
    name, owner = f"closed-{runtime}", "mixed" if runtime == "auto" else "closes"
    task = rig.pod(name, cpus=0.5, mem=64, command=("sh", "-c", script), container=limits)
    scheduler.launch([task], rig.executor(owner, config={} if owner == "mixed" else {"CONTAINERD_RUNTIME": runtime}))
    scheduler.wait_status(name, "TASK_RUNNING", 60)
    log = Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"])
    assert wait_for(lambda: "end" in log.read_text() or None, 20)
    assert log.read_text().splitlines() == ["opened /dev/null", "end"]
    for _ in range(2):
        assert rig.command("exec", name, "--", "sh", "-c", opened).stdout == "opened /dev/null\n"
        wanted = {"limits": {"cpu": "400m", "memory": "48Mi"}}
        assert "resized" in resized(rig, scheduler, name, wanted, executor=owner)


def resized(
    rig: Rig, scheduler: Scheduler, task: str, resources: dict[str, Any], *, executor: str = "mixed"
) -> dict[str, Any]:
    """The answer of the executor."""
    start = scheduler.mark()
    request = {"resize": {"id": "r-1", "task": task, "containers": {"app": resources}}}
    scheduler.message(rig.agent.agent_id, executor, json.dumps(request).encode())
    answer = wait_for(lambda: next(iter(scheduler.messages(start=start)), None), 10)
    assert answer is not None
    return dict(json.loads(answer))


def test_huge_pages_are_limited(rig: Rig, scheduler: Scheduler) -> None:
    """The node has more of them free than the container may have."""
    pool = Path("/proc/sys/vm/nr_hugepages")
    pool.write_text("16")
    assert int(pool.read_text()) == 16
    try:
        limits = {"limits": {"hugepages-2Mi": "4Mi", "memory": "16Mi"}}
        volumes = {"volumes": [{"name": "huge", "emptyDir": {"medium": "HugePages"}}]}
        mounts = [{"name": "huge", "mountPath": "/huge"}]
        task = rig.pod("huge", spec=volumes, container={"resources": limits, "volumeMounts": mounts})
        task["resources"].append(messages.scalar("hugepages-2Mi", 4))
        run(rig, scheduler, task)
        app = group(by_name(rig)["huge"]["cgroup"]) / "app"
        assert number(app, "hugetlb.2MB.max") == 4 * MIB
        first = rig.command("exec", "huge", "--", "fallocate", "-l", str(4 * MIB), "/huge/a", check=False)
        assert first.returncode == 0, first.stderr
        assert number(app, "hugetlb.2MB.current") == 4 * MIB
        more = rig.command("exec", "huge", "--", "fallocate", "-l", str(4 * MIB), "/huge/b", check=False)
        assert more.returncode and number(app, "hugetlb.2MB.current") == 4 * MIB
        assert keyed(app, "hugetlb.2MB.events")["max"] >= 1
    finally:
        pool.write_text("0")
