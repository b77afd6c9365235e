"""Run by test_old_kernel.py, each time on a node of its own: what its executor can do without some system calls."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cgroups import Hierarchies
from tests.support import without_syscalls
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

GRACEFUL = ("sh", "-c", "trap 'echo asked; exit 0' TERM; echo ready; sleep 1000 & wait")
STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done")


NAMES = os.environ["MPE_TEST_WITHOUT"]


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


def executor(rig: Rig) -> dict[str, Any]:
    info = rig.executor()
    line = info["command"]["value"].removeprefix("exec ")
    info["command"]["value"] = f"exec {shlex.join([*without_syscalls.PREFIX, NAMES])} -- {line}"
    return info


def test_pods_are_launched_killed_with_their_grace_and_revoked(rig: Rig) -> None:
    with rig.scheduler(name="old") as scheduler:
        play(rig, scheduler)
    left = rig.wait_clean()
    assert not any(left.values()), left


def play(rig: Rig, scheduler: Scheduler) -> None:
    assert bool(Hierarchies.discover().unified) == (NAMES != without_syscalls.ALL)
    pods = {
        "web": rig.pod("web", command=GRACEFUL, spec={"terminationGracePeriodSeconds": 600}),
        "batch": rig.pod("batch", command=GRACEFUL, revocable=True),
        "stubborn": rig.pod("stubborn", command=STUBBORN, revocable=True),
    }
    scheduler.launch(list(pods.values()), executor(rig))
    for name in pods:
        status = scheduler.wait_status(name, ("TASK_RUNNING", "TASK_FAILED"), 60)
        assert status.state == "TASK_RUNNING", status.raw
        assert wait_for(lambda name=name: rig.command("logs", name).stdout or None, 10) == "ready\n"  # type: ignore[misc]
    receipt = rig.json("revoke", "--all", "--grace", "1s", "--reason", "old")
    assert (receipt["state"], receipt["regular"]["unchanged"]) == ("done", True)
    ends = {victim["tasks"][0]: victim["outcome"] for victim in receipt["victims"]}
    assert ends == {"batch": "exited", "stubborn": "killed"}, receipt
    for name in ("batch", "stubborn"):
        assert scheduler.wait_status(name, "TASK_GONE", 30).raw["reason"] == "REASON_CONTAINER_PREEMPTED"
    begin = time.monotonic()
    scheduler.kill("web")
    scheduler.wait_status("web", "TASK_KILLED", 60)
    assert time.monotonic() - begin < 60, "by its own end at SIGTERM, long before its grace"
    codes = [event["code"] for event in rig.journal("mixed", scheduler)]
    assert not {"pod.leaked", "executor.reap_failed", "pod.defect"} & set(codes), codes
