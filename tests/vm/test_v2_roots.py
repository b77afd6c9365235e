"""A root of the executor's cgroups in a unit that systemd delegates, on cgroup v2."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import regular
from tests.support.rig import Rig, wait_for
from tests.vm.groups import POINT, by_name, group, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

UNIT = "mpe-hold.service"
HOLD = "mkdir /sys/fs/cgroup/system.slice/mpe-hold.service/hold && "
HOLD += "echo 0 >/sys/fs/cgroup/system.slice/mpe-hold.service/hold/cgroup.procs && exec sleep 1000"


@pytest.fixture
def delegated() -> Iterator[str]:
    """As packaging/systemd has it: one process in a leaf holds the unit, and its group is the executors'."""
    line = ["systemd-run", f"--unit={UNIT}", "--property=Delegate=yes", "--property=KillMode=process"]
    subprocess.run([*line, "sh", "-c", HOLD], check=True, capture_output=True, timeout=60)
    path = POINT / "system.slice" / UNIT
    assert wait_for(lambda: True if (path / "hold/cgroup.procs").exists() else None, 10)
    try:
        yield f"/system.slice/{UNIT}/executors"
    finally:
        subprocess.run(["systemctl", "stop", UNIT], check=True, capture_output=True, timeout=60)


def test_a_root_in_a_delegated_unit(rig: Rig, delegated: str, scheduler: Scheduler) -> None:
    tasks = [rig.pod("web"), rig.pod("batch", revocable=True)]
    scheduler.launch(tasks, rig.executor("delegated", config={"CGROUPS_ROOT": delegated}))
    for name in ("web", "batch"):
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    root = root_group(by_name(rig)["web"])
    assert root.parent == group(delegated)
    assert {"cpu", "memory", "pids", "io", "cpuset"} <= set(text(root, "cgroup.subtree_control").split())
    subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=60)
    assert {"cpu", "memory", "pids", "io", "cpuset"} <= set(text(root, "cgroup.subtree_control").split())
    before = regular(rig)
    assert rig.json("revoke", "--all")["state"] == "done"
    assert regular(rig) == before and before["web"]
    scheduler.shutdown_executor(rig.agent.agent_id, "delegated")
    assert wait_for(lambda: None if root.exists() else True, 30), list(root.iterdir())
