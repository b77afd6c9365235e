"""Real memory kills at each level: whose limit it was is told right, and innocents live on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, run, tightened, unharmed
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMITED = ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY", "SOURCE_EXECUTOR")
HOG = "sleep 1; exec dd if=/dev/zero of=/dev/null bs=200M count=1"
LIMIT = {"resources": {"limits": {"memory": "24Mi"}}}


def container(name: str, line: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", line], **fields}


def events(rig: Rig, scheduler: Scheduler, code: str) -> list[dict[str, Any]]:
    return [event for event in rig.journal("mixed", scheduler) if event.get("code") == code]


def test_the_kernel_takes_a_revocable_process_before_a_regular_one(rig: Rig, scheduler: Scheduler) -> None:
    """When the node itself runs out of memory. A score below the executor's own takes CAP_SYS_RESOURCE."""
    run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    scores = {
        pod["name"]: {int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid, _ in rig.processes(pod)}
        for pod in rig.pods()
    }
    assert scores["batch"] == {1000} and scores["web"] in ({-500}, {0}), scores


def test_a_containers_own_limit(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("innocent", revocable=True))
    before = rig.pods()
    spec = {"containers": [container("hog", HOG, **LIMIT), container("other", "sleep 1000")]}
    run(rig, scheduler, rig.pod("task", revocable=True, mem=64, spec=spec))
    assert wait_for(lambda: events(rig, scheduler, "pod.oom") or None, 20)
    (oom,) = events(rig, scheduler, "pod.oom")
    assert (oom["oom"], oom["limit_bytes"], oom["container"]) == ("container", 24 << 20, "hog")
    scheduler.kill("task", grace_s=0)
    assert unharmed(rig, before)


def test_the_scheduler_is_told_the_containers_limit(rig: Rig, scheduler: Scheduler) -> None:
    """The lower one of its pod's two."""
    run(rig, scheduler, rig.pod("web"), rig.pod("innocent", revocable=True))
    before = rig.pods()
    task = rig.pod("task", revocable=True, mem=64, command=("sh", "-c", HOG), container=LIMIT)
    scheduler.launch([task], rig.executor())
    status = scheduler.wait_status("task", "TASK_FAILED", 30)
    assert how(status) == LIMITED and "its own limit of 25165824 bytes" in status.message
    (limit,) = status.raw["limitation"]["resources"]
    assert (limit["name"], limit["type"], limit["scalar"]["value"]) == ("mem", "SCALAR", 24.0)
    assert unharmed(rig, before)


def test_a_pods_limit_is_the_tasks_own(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("innocent", revocable=True))
    before = rig.pods()
    scheduler.launch([rig.pod("task", mem=32, command=("sh", "-c", HOG))], rig.executor())
    status = scheduler.wait_status("task", "TASK_FAILED", 30)
    assert how(status) == LIMITED and "the limit of its pod of 33554432 bytes" in status.message
    assert status.raw["limitation"]["resources"][0]["scalar"]["value"] == 32.0
    assert unharmed(rig, before)


def test_the_pool_of_the_revocable_pods_is_a_preemption(rig: Rig, scheduler: Scheduler) -> None:
    """The pods together may use what each of them may, until an operator takes from the pool. The hog has been near
    the limit of its own pod before: that is not why it dies.
    """
    run(rig, scheduler, rig.pod("web"), rig.pod("innocent", revocable=True))
    before = rig.pods()
    fill = "dd if=/dev/zero of=/dev/null bs=60M count=1"
    line = f"{fill}; sleep 3; exec {fill}"
    run(rig, scheduler, rig.pod("hog", revocable=True, mem=64, command=("sh", "-c", line)))
    (hog,) = [pod for pod in rig.pods() if pod["name"] == "hog"]
    group = Path("/sys/fs/cgroup/memory") / hog["cgroup"].lstrip("/")
    assert wait_for(lambda: int((group / "memory.max_usage_in_bytes").read_text()) >= 60 << 20 or None, 10)
    pool = group.parents[1]
    assert pool.name == "revocable"
    assert wait_for(lambda: tightened(pool, 48 << 20) or None, 2)
    status = scheduler.wait_status("hog", ("TASK_GONE", "TASK_FAILED"), 30)
    assert how(status) == PREEMPTED and "all revocable pods together of 50331648 bytes" in status.message
    assert unharmed(rig, before)


def test_a_limit_of_the_mesos_container_is_mesos_own_affair(rig: Rig) -> None:
    """The agent ends the whole executor then, the regular pods too, and says so; the next executor cleans up."""
    with rig.scheduler(name="above") as scheduler:
        run(rig, scheduler, rig.pod("web"), rig.pod("stays", revocable=True))
        line = "sleep 3; exec dd if=/dev/zero of=/dev/null bs=400M count=1"
        run(rig, scheduler, rig.pod("hog", revocable=True, mem=512, command=("sh", "-c", line)))
        container = Path("/sys/fs/cgroup/memory") / rig.agent.cgroup(scheduler.framework_id, "mixed").lstrip("/")
        used = int((container / "memory.usage_in_bytes").read_text())
        assert wait_for(lambda: tightened(container, used + (100 << 20)) or None, 2)
        for task in ("hog", "web", "stays"):
            status = scheduler.wait_status(task, ("TASK_GONE", "TASK_FAILED"), 30)
            assert (status.reason, status.source) == ("REASON_CONTAINER_LIMITATION_MEMORY", "SOURCE_AGENT")
        scheduler.launch([rig.pod("next")], rig.executor("next"))
        scheduler.wait_status("next", "TASK_RUNNING", 30)
    assert not any((leaks := rig.wait_clean()).values()), leaks
