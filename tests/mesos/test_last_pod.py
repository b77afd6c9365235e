"""What packaging/doc/framework-authors.md says of a launch that meets the end of an executor without cpus."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.proxy import Proxy
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.mesos]

ATTEMPTS = 5


def documented() -> set[tuple[str, str]]:
    """Pairs of state and reason of section 7."""
    section = (ROOT / "packaging/doc/framework-authors.md").read_text().partition("\n## 7. ")[2]
    rows = [row for row in section.splitlines() if row.startswith("|")]
    return {
        (state, reason)
        for row in rows
        for reason in re.findall(r"REASON_\w+", row)
        for state in re.findall(r"TASK_[A-Z]+", row)
    }


def first_word(scheduler: Scheduler, task: str, start: int) -> Status:
    return scheduler.wait_status(task, {*TERMINAL, "TASK_RUNNING"}, 30, start=start)


@pytest.mark.parametrize("late_s", [0.0, 0.1, 1.0])
def test_a_launch_just_after_the_last_pods_end(rig: Rig, late_s: float) -> None:
    """It runs, or it is answered as documented and runs when it is sent again."""
    with rig.scheduler() as scheduler:
        scheduler.launch([rig.pod("last", command=("sleep", "0.5"))], rig.executor())
        scheduler.wait_status("last", "TASK_FINISHED", 30)
        time.sleep(late_s)
        met = set()
        for attempt in range(ATTEMPTS):
            start = scheduler.mark()
            scheduler.launch([rig.pod(f"next-{attempt}")], rig.executor())
            word = first_word(scheduler, f"next-{attempt}", start)
            if word.state == "TASK_RUNNING":
                break
            met.add((word.state, str(word.reason)))
            time.sleep(0.2)
        print(f"{late_s} s after the end: {met or 'a new executor'}, {attempt + 1} attempts")
        assert word.state == "TASK_RUNNING"
        assert met <= documented()
    assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.mark.parametrize("early_s", [0.0, 0.1])
def test_a_launch_around_the_last_pods_end(rig: Rig, early_s: float) -> None:
    with rig.scheduler() as scheduler:
        scheduler.launch([rig.pod("last", command=("sleep", "1"))], rig.executor())
        scheduler.wait_status("last", "TASK_RUNNING", 30)
        time.sleep(1.0 - early_s)
        start = scheduler.mark()
        scheduler.launch([rig.pod("next")], rig.executor())
        word = first_word(scheduler, "next", start)
        scheduler.wait_status("last", "TASK_FINISHED", 30)
        print(f"{early_s} s before the end: {word.state} {word.reason} {word.source} {word.message}")
        assert word.state == "TASK_RUNNING" or (word.state, str(word.reason)) in documented()
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_a_launch_that_arrives_when_everything_is_released(rig: Rig) -> None:
    """Sent while the last pod ran, it reaches the executor after that pod's terminal update has left."""
    late = b'"name":"next"'  # of a TaskInfo
    with Proxy(rig.agent.endpoint, late, after=b"TASK_FINISHED") as proxy, rig.scheduler() as scheduler:
        executor = proxy.between(rig.executor())
        scheduler.launch([rig.pod("last", command=("sleep", "1"))], executor)
        scheduler.wait_status("last", "TASK_RUNNING", 30)
        scheduler.launch([rig.pod("next")], executor)
        scheduler.wait_status("last", "TASK_FINISHED", 30)
        word = first_word(scheduler, "next", 0)
        assert proxy.passed == 1
        assert word.reason == "REASON_EXECUTOR_TERMINATED" and (word.state, word.reason) in documented()
        assert word.state == "TASK_DROPPED" or word.source == "SOURCE_AGENT", "the executor was gone before it read it"
    assert not any((leaks := rig.wait_clean()).values()), leaks
