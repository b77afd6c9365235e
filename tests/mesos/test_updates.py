"""Status updates through a real agent that is killed, restarted, stopped for a time: the scheduler's record is what
was sent.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from tests.mesos.test_driver import Launched
from tests.support.mesos.cluster import Cluster
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

TASKS = ("a", "b", "c")
COUNT = 150
PAUSE_S = 0.04
HANG_S = 11.0
"""Longer than the driver waits for an answer."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


def record(scheduler: Scheduler, task: str, start: int) -> list[str]:
    """What the scheduler was told of a task, each update once."""
    statuses = scheduler.statuses(task, start=start)
    return list({status.raw["uuid"]: status.message for status in statuses if "uuid" in status.raw}.values())


def test_a_stream_of_updates_through_restarts_of_the_agent(cluster: Cluster) -> None:
    """Killed four times at times by a seed, and away for another time each."""
    chance = random.Random(20)
    with Scheduler(cluster.endpoint) as scheduler:
        executor = Launched(cluster, scheduler)
        executor.launch(*TASKS)
        start = scheduler.mark()
        executor.tell(stream=[*TASKS], count=COUNT, pause_s=PAUSE_S)
        for _ in range(4):
            time.sleep(chance.uniform(0.2, 0.9))
            cluster.agent.restart(down_s=chance.uniform(0.0, 1.0))
        arrives(executor, start)


def test_a_stream_of_updates_through_an_agent_that_hangs(cluster: Cluster) -> None:
    """The driver gives calls up and sends them again; the agent has all of them when it goes on."""
    with Scheduler(cluster.endpoint) as scheduler:
        executor = Launched(cluster, scheduler)
        executor.launch(*TASKS)
        start = scheduler.mark()
        executor.tell(stream=[*TASKS], count=COUNT // 3, pause_s=PAUSE_S)
        os.kill(cluster.agent.pid, signal.SIGSTOP)
        try:
            time.sleep(HANG_S)
        finally:
            os.kill(cluster.agent.pid, signal.SIGCONT)
        arrives(executor, start, COUNT // 3)


def arrives(executor: Launched, start: int, count: int = COUNT) -> None:
    """Every update of every task, in order, and nothing after the terminal one."""
    scheduler = executor.scheduler
    for task in TASKS:
        scheduler.wait_status(task, "TASK_FINISHED", 60, start=start)
    time.sleep(0.5)
    for task in TASKS:
        assert record(scheduler, task, start) == [*map(str, range(count)), "end"]
    uuids = [event["uuid"] for event in executor.seen("Acknowledged")]
    assert len(uuids) == len(set(uuids))


def test_a_last_pod_that_ends_while_the_agent_is_away(rig: Rig, scheduler: Scheduler) -> None:
    """Its executor ends with it, and not before the agent knows how the task ended."""
    scheduler.launch([rig.pod("last", command=("sleep", "2"))], rig.executor())
    scheduler.wait_status("last", "TASK_RUNNING", 30)
    sandbox = rig.agent.sandbox(scheduler.framework_id, "mixed")
    rig.agent.kill()
    assert wait_for(lambda: "executor.stopped" in (sandbox / "journal.jsonl").read_text() or None, 30)
    time.sleep(2.0)
    rig.agent.start()
    status = scheduler.wait_status("last", TERMINAL, 60)
    assert (status.state, status.source) == ("TASK_FINISHED", "SOURCE_EXECUTOR")
    assert not any((leaks := rig.wait_clean()).values()), leaks
