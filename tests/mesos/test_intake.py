"""Launches that wait to be read, under a real agent: what comes meanwhile is honoured; nothing is taken for idle."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.mesos.hostile_inputs import slowest, task
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

QUEUE = 25
"""Launches that take some 3 s to be read together, with the pauses between them."""
LARGE = {"metadata": {"annotations": {"padding": "x" * 50_000}}}
"""Makes a launch wait behind those of the queue."""


def queue(name: str) -> list[dict[str, Any]]:
    """Each is refused once it is read."""
    return [task(f"{name}-{number}", slowest()) for number in range(QUEUE)]


def ends(scheduler: Scheduler, tasks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = [scheduler.wait_status(each["task_id"]["value"], TERMINAL, 60) for each in tasks]
    assert {end.source for end in found} == {"SOURCE_EXECUTOR"}
    return [(end.state, end.reason) for end in found]


INVALID = ("TASK_FAILED", "REASON_TASK_INVALID")


def test_a_kill_of_a_launch_that_waits_to_be_read(rig: Rig, scheduler: Scheduler) -> None:
    tasks = queue("kill")
    scheduler.launch([rig.pod("fine"), *tasks], rig.executor())
    scheduler.wait_status("kill-0", TERMINAL, 60)
    for each in [*reversed(tasks), *tasks]:
        scheduler.kill(each["task_id"]["value"])
    found = ends(scheduler, tasks)
    killed = ("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")
    assert {*found} <= {INVALID, killed}
    assert found.count(killed) > QUEUE // 2
    scheduler.wait_status("fine", "TASK_RUNNING", 30)
    scheduler.kill("fine", grace_s=0)
    scheduler.wait_status("fine", TERMINAL, 30)
    for each in tasks:
        own = [s for s in scheduler.statuses(each["task_id"]["value"]) if s.source == "SOURCE_EXECUTOR"]
        assert len(own) == 1, "a second KILL is not answered by a second end"


def test_an_executor_is_not_idle_while_launches_wait(rig: Rig, scheduler: Scheduler) -> None:
    tasks, last = queue("idle"), rig.pod("last", metadata=LARGE["metadata"])
    scheduler.launch([rig.pod("first", command=("true",)), *tasks, last], rig.executor())
    scheduler.wait_status("first", TERMINAL, 30)
    assert ends(scheduler, tasks) == [INVALID] * QUEUE
    scheduler.wait_status("last", "TASK_RUNNING", 30)
    pids = {status.raw.get("container_status", {}).get("executor_pid") for status in scheduler.statuses("last")}
    assert pids == {scheduler.statuses("first")[0].raw["container_status"]["executor_pid"]}, "the same executor"


def test_a_revocation_takes_what_waits_to_be_read(rig: Rig, scheduler: Scheduler) -> None:
    late = [rig.pod(name, revocable=True, metadata=LARGE["metadata"]) for name in ("late", "named")]
    regular = rig.pod("regular", metadata=LARGE["metadata"])
    agent = scheduler.launch([rig.pod("now", revocable=True)], rig.executor())
    scheduler.wait_status("now", "TASK_RUNNING", 30)
    tasks = queue("revoke")
    scheduler.launch([*tasks, *late, regular], rig.executor())
    scheduler.wait_status("revoke-0", TERMINAL, 60)
    for select in ({"tasks": ["named"]}, {"all": True}):
        data = json.dumps({"revoke": {"select": select, "grace": 0}}).encode()
        scheduler.message(agent, "mixed", data)
    for name in ("now", "late", "named"):
        end = scheduler.wait_status(name, TERMINAL, 60)
        assert (end.state, end.reason) == ("TASK_GONE", "REASON_CONTAINER_PREEMPTED"), end
    assert "TASK_RUNNING" not in [*scheduler.states("late"), *scheduler.states("named")]
    scheduler.wait_status("regular", "TASK_RUNNING", 60)
    assert not [data for data in scheduler.messages() if b'"error"' in data]


def test_a_shutdown_while_launches_wait(rig: Rig, scheduler: Scheduler) -> None:
    tasks = queue("shutdown")
    agent = scheduler.launch([rig.pod("up"), *tasks], rig.executor())
    scheduler.wait_status("shutdown-0", TERMINAL, 60)
    scheduler.shutdown_executor(agent, "mixed")
    found = ends(scheduler, tasks)
    dropped = ("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")
    assert {*found} <= {INVALID, dropped}
    assert found.count(dropped) > QUEUE // 3


def test_a_group_of_hundreds_is_refused_task_by_task(rig: Rig, scheduler: Scheduler) -> None:
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 128), messages.scalar("disk", 32)]
    one = [messages.scalar("cpus", 0.01), messages.scalar("mem", 1)]
    command = {"shell": False, "value": "true"}
    tasks = [messages.task_info(f"member-{number}", one, command=command) for number in range(300)]
    scheduler.launch(tasks, rig.executor("group", resources=resources), group=True)
    for each in tasks:
        end = scheduler.wait_status(each["task_id"]["value"], TERMINAL, 60)
        assert (end.state, end.reason) == INVALID, end
        assert end.message == "tasks: the launch has 300 tasks, and a pod has at most 100 containers"


def test_a_launch_too_large_to_be_received(rig: Rig, scheduler: Scheduler) -> None:
    """The executor gives up the stream and subscribes anew; the agent knows then that the launch did not arrive."""
    scheduler.launch([rig.pod("fine")], rig.executor())
    scheduler.wait_status("fine", "TASK_RUNNING", 30)
    scheduler.launch([task("huge", b'{"a": "' + b"x" * (14 << 20) + b'"}')], rig.executor())
    end = scheduler.wait_status("huge", TERMINAL, 60)
    assert (end.state, end.source) == ("TASK_DROPPED", "SOURCE_AGENT")
    scheduler.launch([rig.pod("next")], rig.executor())
    scheduler.wait_status("next", "TASK_RUNNING", 30)
    assert scheduler.states("fine") == ["TASK_STARTING", "TASK_RUNNING"]
