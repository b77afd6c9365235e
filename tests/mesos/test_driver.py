"""The driver under a real agent: tests/support/driver_executor.py is launched by it, told what to do, and read."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.mesos.environment import TOKEN
from tests.support.driver_executor import JOURNAL
from tests.support.mesos.cluster import Cluster
from tests.support.mesos.messages import executor_info, scalar, task_info
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler
from tests.support.mesos.server import wait_until

pytestmark = pytest.mark.mesos

ROOT = Path(__file__).resolve().parents[2]
COMMAND = f"exec {shlex.quote(sys.executable)} -m tests.support.driver_executor"
RESOURCES = [scalar("cpus", 0.1), scalar("mem", 32)]


class Launched:
    """An executor that is nothing but the driver, and its framework."""

    def __init__(self, cluster: Cluster, scheduler: Scheduler, executor_id: str = "driver") -> None:
        self.cluster, self.scheduler, self.executor_id = cluster, scheduler, executor_id
        variables = {"PYTHONPATH": str(ROOT), TOKEN: "secret"}
        self._info = executor_info(executor_id, COMMAND, RESOURCES, environment=variables)
        self._agent_id = ""

    def launch(self, *task_ids: str) -> None:
        tasks = [task_info(task_id, RESOURCES) for task_id in task_ids]
        self._agent_id = self.scheduler.launch(tasks, self._info)
        for task_id in task_ids:
            self.scheduler.wait_status(task_id, "TASK_RUNNING")

    def tell(self, **command: Any) -> None:
        self.scheduler.message(self._agent_id, self.executor_id, json.dumps(command).encode())
        wait_until(lambda: self._has_heard(command), 10.0, lambda: f"{command} did not arrive")

    def _has_heard(self, command: dict[str, Any]) -> bool:
        return command in [json.loads(message["data"]) for message in self.seen("Message")]

    def shut_down(self) -> None:
        self.scheduler.shutdown_executor(self._agent_id, self.executor_id)

    def seen(self, kind: str) -> list[Any]:
        """What the executor wrote down of this kind; a line that it is still writing comes with the next look."""
        path = self.cluster.agent.sandbox(self.scheduler.framework_id, self.executor_id) / JOURNAL
        lines = [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [line["value"] for line in lines if line["kind"] == kind]

    def wait_seen(self, kind: str, count: int = 1, timeout_s: float = 20.0) -> list[Any]:
        wait_until(lambda: len(self.seen(kind)) >= count, timeout_s, lambda: f"no {kind}: {self.seen(kind)}")
        return self.seen(kind)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[Launched]:
    with Scheduler(cluster.endpoint) as scheduler:
        launched = Launched(cluster, scheduler)
        launched.launch("a", "b")
        yield launched


def test_launch_and_acknowledgement(executor: Launched) -> None:
    executor.wait_seen("Acknowledged", 4)
    assert executor.scheduler.states("a") == ["TASK_STARTING", "TASK_RUNNING"]
    (subscribed,) = executor.seen("Subscribed")
    assert not subscribed["resubscribed"]
    assert subscribed["container_id"] == executor.cluster.agent.container_id(
        executor.scheduler.framework_id, executor.executor_id
    )
    status = executor.scheduler.statuses("a")[0]
    assert status.source == "SOURCE_EXECUTOR"
    assert status.raw["agent_id"]["value"] == executor.cluster.agent.agent_id


def test_the_signal_handler_is_untouched_and_the_token_gone(executor: Launched) -> None:
    (start,) = executor.seen("start")
    assert start["sigint_kept"]
    assert start["token_kept"] is False


def test_a_kill_brings_its_own_policy_or_none(executor: Launched) -> None:
    executor.scheduler.kill("a", grace_s=7.5)
    executor.scheduler.kill("b")
    assert executor.scheduler.wait_status("a", "TASK_KILLED").message == "grace 7.5"
    assert executor.scheduler.wait_status("b", "TASK_KILLED").message == "grace None"


def test_messages_both_ways(executor: Launched) -> None:
    executor.tell(echo="hällo")
    assert executor.scheduler.wait_message() == "hällo".encode()


@pytest.mark.parametrize("down_s", [0.5, 1.5])
def test_an_agent_that_is_killed_and_comes_back_misses_nothing(executor: Launched, down_s: float) -> None:
    executor.wait_seen("Acknowledged", 4)
    wanted = [["a", "TASK_RUNNING", str(number)] for number in range(9)] + [["b", "TASK_FINISHED", "done"]]
    executor.tell(when="away", updates=wanted)
    start = executor.scheduler.mark()
    executor.cluster.agent.restart(down_s=down_s)
    executor.scheduler.wait_status("b", "TASK_FINISHED", start=start)
    executor.wait_seen("Acknowledged", 4 + len(wanted))
    assert [event["resubscribed"] for event in executor.seen("Subscribed")] == [False, True]
    uuids = [event["uuid"] for event in executor.seen("Acknowledged")]
    assert len(uuids) == len(set(uuids))
    executor.scheduler.wait(
        lambda: "8" in messages_of(executor.scheduler, "a", start), 10.0, lambda: "not all updates of a came"
    )
    assert messages_of(executor.scheduler, "a", start) == [str(number) for number in range(9)]
    executor.tell(updates=[["a", "TASK_FINISHED", ""]])
    executor.scheduler.wait_status("a", "TASK_FINISHED", start=start)


def messages_of(scheduler: Scheduler, task_id: str, start: int) -> list[str]:
    """The messages of a task's updates; Mesos sends an update again until it is acknowledged, so each uuid once."""
    updates = {status.raw["uuid"]: status.message for status in scheduler.statuses(task_id, start=start)}
    return list(updates.values())


def test_updates_of_a_running_executor_are_none_the_worse_for_a_restart(executor: Launched) -> None:
    """What was on its way when the agent died arrives as well."""
    executor.tell(updates=[["a", "TASK_RUNNING", str(number)] for number in range(200)])
    executor.cluster.agent.restart(down_s=0.3)
    executor.wait_seen("Acknowledged", 204)
    executor.scheduler.wait(
        lambda: "199" in messages_of(executor.scheduler, "a", 0), 20.0, lambda: "not all updates of a came"
    )
    found = [message for message in messages_of(executor.scheduler, "a", 0) if message]
    assert found == [str(number) for number in range(200)]


def test_a_task_id_may_be_used_again(executor: Launched) -> None:
    executor.tell(updates=[["a", "TASK_FINISHED", ""]])
    executor.scheduler.wait_status("a", "TASK_FINISHED")
    executor.wait_seen("Acknowledged", 5)
    executor.scheduler.wait_forgotten("a")
    start = executor.scheduler.mark()
    executor.launch("a")
    executor.scheduler.wait_status("a", "TASK_RUNNING", start=start)
    assert [event["tasks"][0]["task_id"]["value"] for event in executor.seen("Launch")] == ["a", "b", "a"]


def test_everything_is_acknowledged_before_the_executor_exits(executor: Launched) -> None:
    last = [["a", "TASK_FINISHED", "last words"], ["b", "TASK_FAILED", "last words"]]
    executor.tell(exit=True, updates=last)
    assert executor.wait_seen("end") == [0]
    assert executor.seen("drained") == [True]
    assert executor.scheduler.wait_status("a", "TASK_FINISHED").message == "last words"
    assert executor.scheduler.wait_status("b", "TASK_FAILED").message == "last words"


def test_a_shutdown_leaves_time_for_the_end(executor: Launched) -> None:
    executor.shut_down()
    assert executor.wait_seen("end") == [0]
    (shutdown,) = executor.seen("Shutdown")
    assert shutdown["grace_s"] == 5.0
    assert shutdown["why"] == "the agent asked for it"


def test_without_checkpointing_the_executor_ends_with_its_agent(cluster: Cluster) -> None:
    with Scheduler(cluster.endpoint, checkpoint=False) as scheduler:
        executor = Launched(cluster, scheduler)
        executor.launch("a")
        cluster.agent.kill()
        killed = time.monotonic()
        (shutdown,) = executor.wait_seen("Shutdown", timeout_s=5.0)
        executor.wait_seen("Disconnected")
        assert time.monotonic() - killed < 1.0
        assert "does not checkpoint" in shutdown["why"]
        cluster.agent.start()


def test_an_agent_that_stays_away_ends_the_executor_after_the_recovery_timeout() -> None:
    with (
        Cluster(options=AgentOptions(recovery_timeout_s=2.0)) as cluster,
        Scheduler(cluster.endpoint) as scheduler,
    ):
        executor = Launched(cluster, scheduler)
        executor.launch("a")
        cluster.agent.kill()
        killed = time.monotonic()
        (shutdown,) = executor.wait_seen("Shutdown", timeout_s=10.0)
        assert 1.8 < time.monotonic() - killed < 3.0
        assert "2 s (MESOS_RECOVERY_TIMEOUT)" in shutdown["why"]
        cluster.agent.start()


def test_no_pause_is_longer_than_the_agent_allows() -> None:
    """MESOS_SUBSCRIPTION_BACKOFF_MAX: the agent gives one second, and was away long enough for longer pauses."""
    options = AgentOptions(executor_reregistration_timeout_s=1.0)
    with Cluster(options=options) as cluster, Scheduler(cluster.endpoint) as scheduler:
        executor = Launched(cluster, scheduler)
        executor.launch("a")
        cluster.agent.restart(down_s=4.0)
        executor.wait_seen("Subscribed", 2)
        executor.tell(updates=[["a", "TASK_FINISHED", "still here"]])
        assert scheduler.wait_status("a", "TASK_FINISHED").message == "still here"
