"""The incidents of the runbook, staged on a real node: the first lines of `why` name what, why, by whom, what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import psutil
import pytest

from tests.support.hung_fs import HungFs
from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LINES = 5
EATS = ("sh", "-c", "x=$(yes | tr -d '\\n' | head -c 100000000); sleep 1000")
WRITES = ("sh", "-c", "dd if=/dev/zero of=/file bs=1M count=40; sleep 1000")
CRASHES = ("sh", "-c", "echo 'FATAL: no database' >&2; exit 3")
MISSING = "registry.invalid/none:1"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config={"REVOCATION_STUCK_AFTER_S": "2", "DISK_ENFORCE": "true"}) as node:
        yield node


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler() as framework:
        framework.launch([rig.pod("keeps")], rig.executor())
        framework.wait_status("keeps", "TASK_RUNNING", 30)
        yield framework


def launch(rig: Rig, scheduler: Scheduler, name: str, **keys: Any) -> None:
    scheduler.launch([rig.pod(name, **keys)], rig.executor())


def running(rig: Rig, scheduler: Scheduler, name: str, **keys: Any) -> None:
    launch(rig, scheduler, name, **keys)
    scheduler.wait_status(name, "TASK_RUNNING", 30)


def check(rig: Rig, name: str, *words: str) -> None:
    """What `why` says at once; the words that must be there, in their order."""
    text = "\n".join(rig.command("why", name).stdout.splitlines()[:LINES])
    at = 0
    for word in words:
        assert word in text[at:], f"{word!r} is not there:\n{text}"
        at = text.index(word, at)


def told(rig: Rig, name: str, code: str) -> bool | None:
    done = rig.command("events", "--pod", name, "--code", code, check=False)
    return f" {code}" in done.stdout or None


def test_preempted(rig: Rig, scheduler: Scheduler) -> None:
    running(rig, scheduler, "preempted", revocable=True)
    rig.command("revoke", "--task", "preempted", "--reason", "spark needs its cores", "--grace", "1s")
    scheduler.wait_status("preempted", "TASK_GONE", 20)
    words = ("TASK_GONE", "CONTAINER_PREEMPTED", "spark needs its cores", "uid 0, process", "revocation ", "again")
    check(rig, "preempted", *words)


def test_killed_by_its_scheduler(rig: Rig, scheduler: Scheduler) -> None:
    running(rig, scheduler, "killed")
    scheduler.kill("killed", grace_s=1)
    scheduler.wait_status("killed", "TASK_KILLED", 20)
    check(rig, "killed", "TASK_KILLED", "killed by the scheduler", "the framework's scheduler", "Nothing")


def test_out_of_memory(rig: Rig, scheduler: Scheduler) -> None:
    limit = {"resources": {"limits": {"memory": "24Mi"}, "requests": {"memory": "24Mi"}}}
    launch(rig, scheduler, "eats", command=EATS, container=limit)
    scheduler.wait_status("eats", "TASK_FAILED", 40)
    check(rig, "eats", "TASK_FAILED", "CONTAINER_LIMITATION_MEMORY", "the kernel, at the memory", "raise its limit")


def test_a_crash_loop(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "crashes", command=CRASHES, spec={"restartPolicy": "Always"})
    assert wait_for(lambda: rig.json("ps", "-f", "status=backing-off")["pods"] or None, 30)
    check(rig, "crashes", "container app has ended", "exited with status 3", "the container itself", "--previous")
    assert "FATAL: no database" in rig.command("why", "crashes").stdout
    scheduler.kill("crashes", grace_s=0)


def test_an_image_that_is_missing(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "imageless", container={"image": MISSING})
    assert wait_for(partial(told, rig, "imageless", "image.pull_failed"), 40)
    check(rig, "imageless", MISSING.partition("/")[0], "the registry")


def test_more_disk_than_it_may(rig: Rig, scheduler: Scheduler) -> None:
    task = rig.pod("writes", command=WRITES)
    task["resources"].append(messages.scalar("disk", 8))
    scheduler.launch([task], rig.executor())
    scheduler.wait_status("writes", "TASK_FAILED", 60)
    check(rig, "writes", "TASK_FAILED", "CONTAINER_LIMITATION_DISK", "limit of its disk", "more disk")


def test_a_network_that_was_changed(rig: Rig, scheduler: Scheduler) -> None:
    running(rig, scheduler, "cut")
    netns = rig.json("inspect", "cut")["netns"]
    subprocess.run(["nsenter", f"--net={netns}", "ip", "link", "set", "eth0", "down"], check=True)
    assert wait_for(partial(told, rig, "cut", "network"), 60), "changed, or not as it was made where the look came late"
    check(rig, "cut", "running", "network.", "eth0", "something else on this node", "inspect")


def test_refused_by_the_executor(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "refused", spec={"hostPID": "x"})
    scheduler.wait_status("refused", "TASK_FAILED", 20)
    check(rig, "refused", "refused", "hostPID", "this executor, before the launch", "WHAT TO DO")


def test_stuck_on_storage(rig: Rig, scheduler: Scheduler) -> None:
    with HungFs(rig.directory / "hung") as storage:
        spec = {"volumes": [{"name": "v", "hostPath": {"path": str(storage.directory), "type": "Directory"}}]}
        mounts = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
        running(rig, scheduler, "stuck", command=("sh", "-c", "cat /data/file"), spec=spec, container=mounts)
        assert wait_for(lambda: "cat" in commands(rig, "stuck") or None, 20)
        scheduler.kill("stuck", grace_s=0)
        assert wait_for(partial(told, rig, "stuck", "pod.stuck"), 60)
        check(rig, "stuck", "do not die of SIGKILL", "the framework's scheduler", "storage, a driver")
        shown = rig.command("why", "stuck").stdout
        assert "WAITS IN" in shown and "cat /data/file" in shown
        (process, *_) = rig.json("why", "stuck")["processes"]
        assert process["state"] == "D" and "/data (fuse" in process["mount"] and process["wchan"]
        assert "stuck" in rig.command("ps", "-f", "status=stuck").stdout
        storage.release()
    scheduler.wait_status("stuck", "TASK_KILLED", 40)


def commands(rig: Rig, name: str) -> list[str]:
    """Of the pod's processes."""
    (pod,) = rig.json("ps", "-f", f"name={name}")["pods"]
    return [psutil.Process(pid).name() for pid, _ in rig.processes(pod)]


def test_an_executor_that_died(rig: Rig, scheduler: Scheduler) -> None:
    """The last one: it takes every pod along."""
    (owner,) = rig.run_dir.glob("*.owner")
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    scheduler.wait_status("keeps", ("TASK_FAILED", "TASK_LOST", "TASK_GONE"), 30)
    check(rig, "keeps", "lost with its executor while it was running", "SIGKILL", "dmesg")
    rig.wait_clean()
    check(rig, "keeps", "lost with its executor")
