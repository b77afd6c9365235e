"""Pods that are probed, and what Mesos was told of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

EXECUTOR = "mixed"
WEB = (
    "sh",
    "-c",
    "trap 'exit 0' TERM; mkdir -p /tmp/www; touch /tmp/www/up; httpd -f -p 8080 -h /tmp/www & while :; do wait; done",
)
"""Serves /up and nothing else, on port 8080; ends at SIGTERM."""
FAST: dict[str, Any] = {"periodSeconds": 1, "failureThreshold": 2}


def launch(rig: Rig, scheduler: Scheduler, name: str, *, spec: dict[str, Any] | None = None, **container: Any) -> str:
    """Launch the pod `name` and wait until it runs. Its id on the node."""
    command = container.pop("command", WEB)
    spec = {"terminationGracePeriodSeconds": 2, "restartPolicy": "Never", **(spec or {})}
    scheduler.launch([rig.pod(name, command=command, container=container, spec=spec)], rig.executor())
    scheduler.wait_status(name, "TASK_RUNNING", 30)
    return str(rig.json("inspect", name)["pod"])


def wait_health(scheduler: Scheduler, name: str, healthy: bool, start: int = 0) -> Status:
    """The first update of the task with this health."""

    def look() -> Status | None:
        return next(
            (each for each in scheduler.statuses(name, start=start) if each.raw.get("healthy") is healthy), None
        )

    return scheduler.wait(look, 30, lambda: f"{name} did not become healthy={healthy}")


def events(rig: Rig, scheduler: Scheduler, pod: str, *codes: str) -> list[dict[str, Any]]:
    """The events of one pod with these codes, from the executor's journal."""
    return [each for each in rig.journal(EXECUTOR, scheduler) if each.get("pod") == pod and each["code"] in codes]


def wait_events(
    rig: Rig, scheduler: Scheduler, pod: str, code: str, enough: Callable[[list[dict[str, Any]]], bool] = bool
) -> list[dict[str, Any]]:
    found = wait_for(lambda: each if enough(each := events(rig, scheduler, pod, code)) else None, 30)
    assert found is not None, f"no {code}: {events(rig, scheduler, pod, code)}"
    return found


def container(status: Status) -> dict[str, Any]:
    """The only container in the data of a status."""
    (found,) = json.loads(base64.b64decode(status.raw["data"]))["containers"]
    return dict(found)


def execute(rig: Rig, pod: str, *command: str) -> str:
    return rig.command("exec", pod, "--", *command).stdout
