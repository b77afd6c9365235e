"""A stock QoS controller's KILL: what it does to a pair of executors, and what to one that serves both classes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from executor.pod.life.container_life import DOUBT_S
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

TAKEN = ("TASK_GONE", "REASON_CONTAINER_PREEMPTED", "SOURCE_AGENT")
RELEASED_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


def pair(rig: Rig) -> dict[str, dict[str, Any]]:
    """Two executors of one framework, each with cpus of its own kind."""

    def resources(*, revocable: bool) -> list[dict[str, Any]]:
        cpus = messages.scalar("cpus", 0.1, revocable=revocable)
        return [cpus, messages.scalar("mem", 128), messages.scalar("disk", 32)]

    kinds = {"regular": False, "revocable": True}
    return {name: rig.executor(name, resources=resources(revocable=kind)) for name, kind in kinds.items()}


def run(rig: Rig, scheduler: Scheduler, tasks: list[dict[str, Any]], executor: dict[str, Any]) -> None:
    scheduler.launch(tasks, executor)
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)


def web(rig: Rig) -> dict[str, Any]:
    listing = {"image": "docker.io/library/busybox:test", "command": ["httpd", "-f", "-p", "8080", "-h", "/bin"]}
    return rig.pod("web", container=listing)


def answers(rig: Rig, pod: dict[str, Any]) -> bool:
    """Whether the pod serves on its own address, over the node's bridge."""
    import urllib.request

    with urllib.request.urlopen(f"http://{pod['ips'][0]}:8080/true", timeout=5) as answer:
        return bool(answer.status == 200)


def owners_on(rig: Rig) -> set[str]:
    return {path.stem for path in rig.run_dir.glob("*.owner")}


def test_a_qos_kill_takes_the_revocable_executor_only_and_the_other_one_releases_what_it_held(rig: Rig) -> None:
    with rig.scheduler(name="pair") as scheduler:
        infos = pair(rig)
        run(rig, scheduler, [web(rig), rig.pod("db")], infos["regular"])
        alone = rig.leaks()
        run(rig, scheduler, [rig.pod(f"batch{n}", revocable=True) for n in range(5)], infos["revocable"])
        pods = {pod["name"]: pod for pod in rig.pods()}
        assert len(pods) == 7 and rig.leaks()["ips"] == 7
        before = {name: rig.processes(pods[name]) for name in ("web", "db")}
        dead = rig.agent.container_id(scheduler.framework_id, "revocable")
        survivor = rig.agent.container_id(scheduler.framework_id, "regular")
        assert owners_on(rig) == {dead, survivor}
        mark = scheduler.mark()
        begin = time.monotonic()
        rig.agent.qos_kill(scheduler.framework_id, "revocable")
        for n in range(5):
            status = scheduler.wait_status(f"batch{n}", "TASK_GONE", 20, start=mark)
            assert (status.state, status.reason, status.source) == TAKEN
        gone_s = time.monotonic() - begin
        released = wait_for(lambda: True if owners_on(rig) == {survivor} else None, 15, 0.02)
        released_s = time.monotonic() - begin
        assert released, "the surviving executor has not released what the dead one held"
        print(f"\nQoS KILL: TASK_GONE after {gone_s:.2f} s, everything released after {released_s:.2f} s")
        assert released_s < RELEASED_WITHIN_S
        assert rig.leaks() == alone
        after = {pod["name"]: pod for pod in rig.pods()}
        assert {name: rig.processes(pod) for name, pod in after.items()} == before
        assert {name: pod["ips"] for name, pod in after.items()} == {name: pods[name]["ips"] for name in before}
        assert answers(rig, after["web"])
        assert [s for name in before for s in scheduler.statuses(name)[2:]] == [], "no further word of them to Mesos"
        journal = rig.journal("regular", scheduler)
        (recovered,) = [event for event in journal if event["code"] == "executor.recovered"]
        assert "5 containers" in recovered["outcome"] and "5 attachments" in recovered["outcome"]
        run(rig, scheduler, [rig.pod("again", revocable=True)], infos["revocable"])
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_a_pod_that_is_killed_shortly_before_its_executor_has_not_failed(rig: Rig) -> None:
    """The agent's kill goes through the cgroups of a container, and may reach some pods before the executor."""
    with rig.scheduler(name="slowly") as scheduler:
        run(rig, scheduler, [rig.pod(name, revocable=True) for name in ("first", "second")], rig.executor())
        (pid,) = [each["pid"] for pod in rig.pods() if pod["name"] == "first" for each in pod["containers"]]
        (owner,) = rig.run_dir.glob("*.owner")
        os.kill(pid, signal.SIGKILL)
        assert wait_for(lambda: None if psutil.pid_exists(pid) else True, 5)
        time.sleep(0.3)
        os.kill(json.loads(owner.read_text())["pid"], signal.SIGKILL)
        for name in ("first", "second"):
            status = scheduler.wait_status(name, TERMINAL, 20)
            assert (status.reason, status.source) == ("REASON_EXECUTOR_TERMINATED", "SOURCE_AGENT")
        run(rig, scheduler, [rig.pod("next")], rig.executor("next"))
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_a_sigkill_from_nobody_knows_whom_is_told_when_the_executor_lives_on(rig: Rig) -> None:
    with rig.scheduler(name="doubt") as scheduler:
        again = rig.pod("again", spec={"restartPolicy": "OnFailure"})
        run(rig, scheduler, [rig.pod("once", revocable=True), again], rig.executor())
        pids = {pod["name"]: each["pid"] for pod in rig.pods() for each in pod["containers"]}
        begin = time.monotonic()
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        status = scheduler.wait_status("once", "TASK_FAILED", 20)
        assert "terminated by SIGKILL" in status.message
        assert time.monotonic() - begin < DOUBT_S + 5
        assert wait_for(lambda: True if restarts(rig, "again", pids["again"]) == [1] else None, 20)
        scheduler.kill("again")
        scheduler.wait_status("again", "TASK_KILLED", 20)
    assert not any((leaks := rig.wait_clean()).values()), leaks


def restarts(rig: Rig, name: str, pid: int) -> list[int]:
    """Restarts of the pod's containers that run with another pid."""
    containers = [each for pod in rig.pods() if pod["name"] == name for each in pod["containers"]]
    return [each["restarts"] for each in containers if each["pid"] not in (None, pid)]


def test_a_qos_kill_takes_everything_from_an_executor_that_serves_both_classes(rig: Rig) -> None:
    """Why mixed mode wants no QoS controller that kills: Mesos knows executors only."""
    with rig.scheduler(name="mixed") as scheduler:
        run(rig, scheduler, [rig.pod("web"), rig.pod("batch", revocable=True)], rig.executor())
        rig.agent.qos_kill(scheduler.framework_id, "mixed")
        for name in ("web", "batch"):
            status = scheduler.wait_status(name, "TASK_GONE", 20)
            assert (status.state, status.reason, status.source) == TAKEN
        run(rig, scheduler, [rig.pod("next")], rig.executor("next"))
    assert not any((leaks := rig.wait_clean()).values()), leaks
