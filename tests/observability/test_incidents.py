"""The incidents of the runbook, staged on a real node: the first lines of `why` name what, why, by whom, what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.incidents import INCIDENTS, MISSING, STORAGE, Stage
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LINES = 5
POLICY = f'{{level = "baseline", host_paths = ["{STORAGE}"]}}'


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    config = {"REVOCATION_STUCK_AFTER_S": "2", "DISK_ENFORCE": "true", "POLICY_DEFAULT": POLICY}
    with Rig(config=config) as node:
        yield node


@pytest.fixture(scope="module")
def stage(rig: Rig) -> Iterator[Stage]:
    with rig.scheduler() as framework, Stage(rig, framework, "mixed") as stage:
        stage.running("stays")
        yield stage


def check(rig: Rig, name: str, *words: str) -> None:
    """What `why` says at once; the words that must be there, in their order."""
    text = "\n".join(rig.command("why", name).stdout.splitlines()[:LINES])
    at = 0
    for word in words:
        assert word in text[at:], f"{word!r} is not there:\n{text}"
        at = text.index(word, at)


SAID = {
    "preempted": (
        "TASK_GONE",
        "CONTAINER_PREEMPTED",
        "spark needs its cores",
        "uid 0, process",
        "revocation ",
        "again",
    ),
    "killed": ("TASK_KILLED", "killed by the scheduler", "the framework's scheduler", "Nothing"),
    "out-of-memory": (
        "TASK_FAILED",
        "CONTAINER_LIMITATION_MEMORY",
        "the kernel, at the memory",
        "Raise the memory limit",
    ),
    "crash-loop": ("container app has ended", "exited with status 3", "the container itself", "--previous"),
    "image-missing": (MISSING.partition("/")[0], "the registry"),
    "disk": ("TASK_FAILED", "CONTAINER_LIMITATION_DISK", "limit of its disk", "more disk"),
    "network": ("running", "network.", "eth0", "something else on this node", "inspect"),
    "refused": ("refused", "hostPID", "this executor, before the launch", "WHAT TO DO"),
    "stuck": ("do not die of SIGKILL", "the framework's scheduler", "storage"),
    "dead-executor": ("lost with its executor while it was running", "SIGKILL", "dmesg"),
}


def test_every_incident_is_staged() -> None:
    assert set(SAID) == set(INCIDENTS)


@pytest.mark.parametrize("name", [name for name in SAID if name not in ("stuck", "dead-executor")])
def test_an_incident(rig: Rig, stage: Stage, name: str) -> None:
    task = INCIDENTS[name].begin(stage)
    check(rig, task, *SAID[name])
    if name == "crash-loop":
        assert wait_for(lambda: rig.json("ps", "-f", "status=backing-off")["pods"] or None, 30)
        assert "FATAL: no database" in rig.command("why", task).stdout
        stage.scheduler.kill(task, grace_s=0)
    if name == "network":
        state, reason = said_alike(rig, task)
        assert state == "running" and reason.startswith("network: eth0 is down")
        assert f"{task} is not as it was made: eth0 is down" in rig.command("doctor", check=False).stdout


def said_alike(rig: Rig, task: str) -> tuple[str, str]:
    """State and reason of a pod, which `ps` and `top` print alike."""
    rows = {each["pod"]: each for each in rig.json("top")["pods"]}
    (found,) = rig.json("ps", "-f", f"task={task}")["pods"]
    said = (rows[found["pod"]]["status"], rows[found["pod"]]["reason"])
    (line,) = rig.command("ps", "-f", f"task={task}", "--no-headers", "-o", "wide").stdout.splitlines()
    assert all(word in line for word in said), (line, said)
    return said


def test_stuck_on_storage(rig: Rig, stage: Stage) -> None:
    task = INCIDENTS["stuck"].begin(stage)
    check(rig, task, *SAID["stuck"])
    shown = rig.command("why", task).stdout
    assert "WAITS IN" in shown and "cat /data/file" in shown
    (process, *_) = rig.json("why", task)["processes"]
    assert process["state"] == "D" and "/data (fuse" in process["mount"] and process["wchan"]
    assert "stuck" in rig.command("ps", "-f", "status=stuck").stdout
    state, reason = said_alike(rig, task)
    assert state == "stuck" and reason.startswith("survives SIGKILL: pid ")
    stage.release()
    stage.scheduler.wait_status(task, "TASK_KILLED", 40)


def test_an_executor_that_died(rig: Rig, stage: Stage) -> None:
    """The last one: it takes every pod along."""
    task = INCIDENTS["dead-executor"].begin(stage)
    check(rig, task, *SAID["dead-executor"])
    rig.wait_clean()
    check(rig, task, "lost with its executor")
