"""An executor that has nothing left of something: no thread, no descriptor, no space. One pod fails and says why; the
next one runs once there is some again.
"""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def executor_pid(rig: Rig) -> int:
    (owner,) = rig.run_dir.glob("*.owner")
    return int(json.loads(owner.read_text())["pid"])


@contextmanager
def no_threads(rig: Rig, _: Path) -> Iterator[None]:
    """Root is exempt from RLIMIT_NPROC, so this is the pids controller, on the executor's own leaf."""
    lines = Path(f"/proc/{executor_pid(rig)}/cgroup").read_text().splitlines()
    (path,) = [line.split(":", 2)[2] for line in lines if line.split(":")[1] == "pids"]
    assert path.endswith("/executor")
    limit = Path(f"/sys/fs/cgroup/pids{path}/pids.max")
    limit.write_text("1")
    try:
        yield
    finally:
        limit.write_text("max")


@contextmanager
def no_descriptors(rig: Rig, _: Path) -> Iterator[None]:
    pid = executor_pid(rig)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 2, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextmanager
def no_space(_: Rig, pods: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", pods], check=True)
    try:
        with (pods / "full").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        yield
    finally:
        subprocess.run(["umount", "--lazy", pods], check=True)


EXHAUSTED = {
    "threads": (no_threads, "process or thread"),
    "descriptors": (no_descriptors, "no file descriptor left"),
    "space": (no_space, "No space left on device"),
}


def has_failed(rig: Rig, scheduler: Scheduler) -> bool:
    """Its end may have to wait until there is something again: an end is seen by files that must be opened."""
    events = rig.journal("mixed", scheduler)
    return any(event["code"] == "pod.destroying" and event["task"] == "without" for event in events)


@pytest.mark.parametrize("what", EXHAUSTED)
def test_one_pod_says_what_is_missing_and_the_next_one_runs(rig: Rig, scheduler: Scheduler, what: str) -> None:
    exhaust, words = EXHAUSTED[what]
    scheduler.launch([rig.pod("before")], rig.executor())
    scheduler.wait_status("before", "TASK_RUNNING", 30)
    pods = Path(rig.agent.sandbox(scheduler.framework_id, "mixed")) / "pods"
    process = psutil.Process(executor_pid(rig))
    with exhaust(rig, pods):
        scheduler.launch([rig.pod("without")], rig.executor())
        assert wait_for(lambda: has_failed(rig, scheduler) or None, 30), "as its journal says"
    failed = scheduler.wait_status("without", ("TASK_FAILED", "TASK_RUNNING"), 60)
    told = failed.raw["message"]
    assert failed.state == "TASK_FAILED" and words in told, told
    assert "None" not in told and "defect" not in told, told
    scheduler.launch([rig.pod("after")], rig.executor())
    scheduler.wait_status("after", "TASK_RUNNING", 60)
    assert process.is_running(), "the same executor"
    for name in ("before", "after"):
        scheduler.kill(name, grace_s=0)
        scheduler.wait_status(name, "TASK_KILLED", 30)
    codes = {event["code"] for event in rig.journal("mixed", scheduler)}
    assert not {"pod.defect", "executor.defect", "control.bug"} & codes, codes


def test_a_revocation_and_a_kill_need_no_thread_and_no_process(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    """What needs one, a CNI plugin for instance, is tried again once there is one."""
    scheduler.launch([rig.pod("stays"), rig.pod("ends"), rig.pod("batch", revocable=True)], rig.executor())
    for name in ("stays", "ends", "batch"):
        scheduler.wait_status(name, "TASK_RUNNING", 30)
    with no_threads(rig, tmp_path):
        told = rig.json("revoke", "--all")
        assert told["state"] == "done" and told["regular"]["unchanged"]
        scheduler.wait_status("batch", "TASK_GONE", 20)
        scheduler.kill("ends")
        scheduler.wait_status("ends", "TASK_KILLED", 20)
    assert wait_for(lambda: True if [pod["name"] for pod in rig.pods()] == ["stays"] else None, 60), rig.pods()
    assert rig.pods()[0]["state"] == "running"
    scheduler.kill("stays", grace_s=0)
    scheduler.wait_status("stays", "TASK_KILLED", 30)
    codes = {event["code"] for event in rig.journal("mixed", scheduler)}
    assert not {"pod.defect", "executor.defect", "control.bug"} & codes, codes
