"""The checks of Mesos' own tasks: CheckInfo and HealthCheck, as Mesos' executors tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesos.probing import execute, wait_health
from tests.support.mesos import messages
from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LOOPBACK_ONLY = "mkdir -p /tmp/www; touch /tmp/www/up; exec httpd -f -p 127.0.0.1:8080 -h /tmp/www"
TIMINGS = {"delay_seconds": 0.2, "interval_seconds": 0.3, "timeout_seconds": 5.0}
CHECK_UPDATED = "REASON_TASK_CHECK_STATUS_UPDATED"


def executor(rig: Rig) -> dict[str, Any]:
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 128), messages.scalar("disk", 16)]
    return rig.executor("checks", resources=resources)


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="checks") as framework:
        framework.launch([rig.pod("keeper")], executor(rig))
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


def launch(rig: Rig, scheduler: Scheduler, name: str, script: str, **fields: Any) -> str:
    """In a group of one, for only there a task has a command beside an executor."""
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)]
    task = messages.task_info(name, resources, command=messages.command(script), **fields)
    scheduler.launch([task], executor(rig), group=True)
    scheduler.wait_status(name, "TASK_RUNNING", 30)
    return str(rig.json("inspect", name)["pod"])


def wait_check(scheduler: Scheduler, name: str, value: dict[str, Any]) -> Status:
    """The first update that tells this value of the check."""

    def look() -> Status | None:
        found = [each for each in scheduler.statuses(name) if each.reason == CHECK_UPDATED]
        return next((each for each in found if value in each.raw["check_status"].values()), None)

    return scheduler.wait(look, 30, lambda: f"the check of {name} did not tell {value}")


def test_a_command_check_tells_its_exit_code_and_ends_nothing(rig: Rig, scheduler: Scheduler) -> None:
    command = {"value": "exit $(cat /tmp/code)", "environment": {"variables": [{"name": "A", "value": "1"}]}}
    check = {"type": "COMMAND", "command": {"command": command}, **TIMINGS}
    pod = launch(rig, scheduler, "command", "echo 7 > /tmp/code; sleep 1000", check=check)
    first = next(each for each in scheduler.statuses("command") if each.state == "TASK_RUNNING")
    assert first.raw["check_status"] == {"type": "COMMAND", "command": {}} and "healthy" not in first.raw
    assert wait_check(scheduler, "command", {"exit_code": 7}).state == "TASK_RUNNING"
    execute(rig, pod, "sh", "-c", "echo 0 > /tmp/code")
    wait_check(scheduler, "command", {"exit_code": 0})
    scheduler.kill("command")
    assert scheduler.wait_status("command", "TASK_KILLED", 30).raw["check_status"]["command"] == {"exit_code": 0}


def test_http_and_tcp_checks_ask_the_loopback_of_the_task(rig: Rig, scheduler: Scheduler) -> None:
    check = {"type": "HTTP", "http": {"port": 8080, "path": "/up"}, **TIMINGS}
    health = {"type": "TCP", "tcp": {"port": 8080}, **TIMINGS}
    pod = launch(rig, scheduler, "loopback", LOOPBACK_ONLY, check=check, health_check=health)
    wait_check(scheduler, "loopback", {"status_code": 200})
    assert wait_health(scheduler, "loopback", True).raw["check_status"]["http"] in ({}, {"status_code": 200})
    execute(rig, pod, "rm", "/tmp/www/up")
    wait_check(scheduler, "loopback", {"status_code": 404})
    scheduler.kill("loopback")


def test_a_health_check_that_fails_ends_the_task_as_mesos_executors_do(rig: Rig, scheduler: Scheduler) -> None:
    health = {"type": "COMMAND", "command": {"value": "test ! -e /tmp/sick"}, **TIMINGS, "consecutive_failures": 2}
    pod = launch(rig, scheduler, "sick", "sleep 1000", health_check={**health, "grace_period_seconds": 0.0})
    assert "healthy" not in next(each for each in scheduler.statuses("sick") if each.state == "TASK_RUNNING").raw
    assert wait_health(scheduler, "sick", True).reason == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
    execute(rig, pod, "touch", "/tmp/sick")
    killed = scheduler.wait_status("sick", "TASK_KILLED", 30)
    assert killed.raw["healthy"] is False and "its health check failed" in killed.message
    told = [each.raw["healthy"] for each in scheduler.statuses("sick") if "healthy" in each.raw]
    assert told == [True, False, False], "the change, and the end"


def test_failures_in_the_grace_of_a_health_check_do_not_count(rig: Rig, scheduler: Scheduler) -> None:
    health = {"type": "COMMAND", "command": {"value": "test -e /tmp/up"}, **TIMINGS, "consecutive_failures": 1}
    launch(rig, scheduler, "late", "sleep 2; touch /tmp/up; sleep 1000", health_check=health)
    wait_health(scheduler, "late", True)
    assert [each.raw["healthy"] for each in scheduler.statuses("late") if "healthy" in each.raw] == [True]
    assert json.dumps(rig.json("inspect", "late")["containers"][0]["probes"]) == '{"health": true}'
