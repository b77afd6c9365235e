"""What a container is asked before its stop signal, and which signal that is, on a real agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HTTPD = "mkdir /tmp/www; touch /tmp/www/drain; httpd -vv -f -p 8080 -h /tmp/www 2>&1 &"
LISTENS = "until grep -q :1F90 /proc/net/tcp6; do sleep 0.05; done; echo listens"
SERVER = ("sh", "-c", f"trap 'echo told; exit 0' TERM; {HTTPD} {LISTENS}; while :; do wait; done")


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="hooks") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


def events(rig: Rig, scheduler: Scheduler, task: str, *codes: str) -> list[dict[str, Any]]:
    (pod,) = {each["pod"] for each in rig.journal("mixed", scheduler) if task in each.get("tasks", ())}
    return [each for each in rig.journal("mixed", scheduler) if each.get("pod") == pod and each["code"] in codes]


def stopped(rig: Rig, scheduler: Scheduler, name: str, handler: dict[str, Any]) -> dict[str, Any]:
    """The event of the hook of a pod that was killed; its server listened until then."""
    container = {"lifecycle": {"preStop": handler}, "ports": [{"name": "web", "containerPort": 8080}]}
    scheduler.launch([rig.pod(name, command=SERVER, container=container)], rig.executor())
    scheduler.wait_status(name, "TASK_RUNNING", 30)
    log = Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"])
    assert wait_for(lambda: "listens" in log.read_text() or None, 20)
    scheduler.kill(name)
    scheduler.wait_status(name, "TASK_KILLED", 30)
    (event,) = events(rig, scheduler, name, "pod.hook", "pod.hook_failed")
    assert event["hook"] == "preStop" and event["container"] == "app"
    return {**event, "output": log.read_text()}


@pytest.mark.parametrize("port", ["web", 8080])
def test_http(rig: Rig, scheduler: Scheduler, port: str | int) -> None:
    name = f"http-{port}"
    event = stopped(rig, scheduler, name, {"httpGet": {"port": port, "path": "/drain"}})
    assert event["code"] == "pod.hook"
    assert "url:/drain" in event["output"] and event["output"].rstrip().endswith("told")


def test_any_answer_is_one(rig: Rig, scheduler: Scheduler) -> None:
    event = stopped(rig, scheduler, "http-404", {"httpGet": {"port": "web", "path": "/missing"}})
    assert event["code"] == "pod.hook"


def test_tcp(rig: Rig, scheduler: Scheduler) -> None:
    event = stopped(rig, scheduler, "tcp", {"tcpSocket": {"port": "web"}})
    assert event["code"] == "pod.hook"
    event = stopped(rig, scheduler, "tcp-closed", {"tcpSocket": {"port": 8081}})
    assert event["code"] == "pod.hook_failed" and "refused" in event["error"]


def test_a_sleep_comes_before_the_signal(rig: Rig, scheduler: Scheduler) -> None:
    event = stopped(rig, scheduler, "sleep", {"sleep": {"seconds": 1}})
    assert 1000 <= event["duration_ms"] < 2000


@pytest.mark.parametrize(("signal", "number"), [("SIGUSR1", 10), ("SIGRTMIN+3", 37), ("12", 12)])
def test_the_stop_signal_that_was_asked_for(rig: Rig, scheduler: Scheduler, signal: str, number: int) -> None:
    name = f"signal-{number}"
    command = ("sh", "-c", f"trap 'exit 0' {number}; trap 'exit 9' TERM; sleep 1000 & while :; do wait; done")
    container = {"lifecycle": {"stopSignal": signal}}
    scheduler.launch([rig.pod(name, command=command, container=container)], rig.executor())
    scheduler.wait_status(name, "TASK_RUNNING", 30)
    scheduler.kill(name)
    scheduler.wait_status(name, "TASK_KILLED", 30)
    (event,) = events(rig, scheduler, name, "pod.container_exited")
    assert event["exit_code"] == 0
