"""A directory of the executor's whose file system has no space and no inode left, while pods run: what is new fails
and says why, pods run on, end, are revoked and are released, and what a dead executor left is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.launching import MOUNTED
from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, end_watcher, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

CHATTY = ("sh", "-c", "trap 'exit 0' TERM; while :; do echo line; sleep 0.01; done")
OPTIONS = "size=4m,mode=755,nr_inodes=400"


def places(rig: Rig, scheduler: Scheduler) -> dict[str, Path]:
    frameworks = rig.agent.work_dir / f"agents/0/work/slaves/{rig.agent.agent_id}/frameworks"
    return {
        "run_dir": rig.run_dir,
        "state_dir": rig.directory / "state",
        "sandbox": frameworks / scheduler.framework_id / "executors/mixed",
    }


@contextlib.contextmanager
def own_file_system(directory: Path) -> Iterator[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", OPTIONS, "small", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@contextlib.contextmanager
def full(directory: Path) -> Iterator[None]:
    filler = directory / "filler"
    filler.mkdir()
    with contextlib.suppress(OSError), (filler / "bytes").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with contextlib.suppress(OSError):
        for number in range(1000):
            (filler / str(number)).touch()
    try:
        yield
    finally:
        subprocess.run(["rm", "-r", filler], check=True)


@pytest.mark.parametrize("place", ["run_dir", "state_dir", "sandbox"])
def test_pods_live_and_end_beside_a_full_directory(place: str) -> None:
    with Rig() as rig, rig.scheduler(name="full") as scheduler, own_file_system(places(rig, scheduler)[place]) as home:
        there = remains(rig)
        pods = [rig.pod("web", command=CHATTY), rig.pod("ends"), rig.pod("batch", revocable=True, **MOUNTED)]
        scheduler.launch(pods, rig.executor())
        for task in ("web", "ends", "batch"):
            scheduler.wait_status(task, "TASK_RUNNING", 30)
        with full(home):
            scheduler.launch([rig.pod("none", **MOUNTED)], rig.executor())
            refused = scheduler.wait_status("none", TERMINAL, 30)
            assert refused.reason == "REASON_CONTAINER_LAUNCH_FAILED" and "No space left" in refused.message, refused
            scheduler.kill("ends")
            scheduler.wait_status("ends", "TASK_KILLED", 20)
            assert rig.json("revoke", "--all")["state"] == "done"
            scheduler.wait_status("batch", "TASK_GONE", 20)
            assert wait_for(lambda: True if [pod["name"] for pod in rig.pods()] == ["web"] else None, 20), rig.pods()
            assert rig.pods()[0]["state"] == "running"
        scheduler.launch([rig.pod("next", revocable=True)], rig.executor())
        scheduler.wait_status("next", "TASK_RUNNING", 30)
        codes = {event["code"] for event in rig.journal("mixed", scheduler)}
        assert not {"pod.defect", "executor.defect", "control.bug"} & codes, codes
        with full(home):
            (owner,) = rig.run_dir.glob("*.owner")
            pid = json.loads(owner.read_text())["pid"]
            end_watcher(pid)
            os.kill(pid, signal.SIGKILL)
            for task in ("web", "next"):
                scheduler.wait_status(task, TERMINAL, 30)
            done = rig.json("gc")
            assert done["failed"] == [] and done["released"]["containers"] == 2
            assert wait_for(lambda: True if remains(rig) == there else None, 20), remains(rig)
