"""The kernel kills a child for memory and the container's first process goes on: it is told, whatever that one does."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import events, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HOG = "dd if=/dev/zero of=/dev/null bs=200M count=1"
LIMIT = {"resources": {"limits": {"memory": "64Mi"}}}


def hog(rig: Rig, name: str, line: str, **task: Any) -> dict[str, Any]:
    return rig.pod(name, mem=96, command=("sh", "-c", line), container=LIMIT, **task)


def told(rig: Rig, task: str) -> list[dict[str, Any]]:
    return [event for event in events(rig, "pod.child_oom") if event["task"] == task]


def killed(rig: Rig) -> float:
    found = re.findall(r"^mesos_pod_executor_oom_kills_total\{.*\} (\S+)$", rig.command("metrics").stdout, re.MULTILINE)
    return sum(map(float, found))


def test_a_container_that_lives_on(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), hog(rig, "lives", f"sleep 0.5; {HOG}; {HOG}; sleep 1000", revocable=True))
    assert wait_for(lambda: sum(each["count"] for each in told(rig, "lives")) >= 2 or None, 20), told(rig, "lives")
    for event in told(rig, "lives"):
        assert (event["container"], event["oom"], event["limit_bytes"]) == ("app", "container", 64 << 20)
    assert sum(each["count"] for each in told(rig, "lives")) == 2 == killed(rig)
    assert events(rig, "pod.oom") == []
    assert {pod["name"]: pod["state"] for pod in rig.pods()} == {"web": "running", "lives": "running"}


@pytest.mark.parametrize("code", [0, 1])
def test_a_container_that_exits_after_it(rig: Rig, scheduler: Scheduler, code: int) -> None:
    """At once, so that nobody else could have seen it."""
    run(rig, scheduler, rig.pod("web"))
    scheduler.launch([hog(rig, f"ends{code}", f"{HOG}; exit {code}")], rig.executor())
    status = scheduler.wait_status(f"ends{code}", ("TASK_FINISHED", "TASK_FAILED"), 30)
    (event,) = told(rig, f"ends{code}")
    assert (event["count"], event["oom"], event["container"]) == (1, "container", "app")
    words = "the kernel killed 1 process of it for memory"
    if code:
        assert status.state == "TASK_FAILED" and status.reason in ("", "REASON_COMMAND_EXECUTOR_FAILED"), status
        assert "exited with status 1" in status.message and words in status.message
    else:
        assert status.state == "TASK_FINISHED" and words not in status.message


def test_a_sigkill_long_after_it_is_not_blamed_on_memory(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), hog(rig, "later", f"{HOG}; sleep 1000"))
    assert wait_for(lambda: told(rig, "later") or None, 20)
    (first,) = (pod["containers"][0]["pid"] for pod in rig.pods() if pod["name"] == "later")
    os.kill(first, signal.SIGKILL)
    status = scheduler.wait_status("later", "TASK_FAILED", 20)
    assert "terminated by SIGKILL" in status.message and "LIMITATION" not in status.reason, status
    assert not any(event["task"] == "later" for event in events(rig, "pod.oom"))


def test_a_container_that_is_started_again_begins_anew(rig: Rig, scheduler: Scheduler) -> None:
    """Each run has a cgroup of its own, whose count begins at 0."""
    line = f"{HOG}; sleep 1; exit 1"
    run(rig, scheduler, rig.pod("web"), hog(rig, "again", line, spec={"restartPolicy": "OnFailure"}))
    found = wait_for(lambda: found if len(found := told(rig, "again")) == 2 else None, 40)
    assert found and [each["count"] for each in found] == [1, 1]
    scheduler.kill("again", grace_s=0)
    message = scheduler.wait_status("again", "TASK_KILLED", 20).message
    assert "memory" not in message
