"""Words that the tests of revocation share."""

from __future__ import annotations

import json
from typing import Any

from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

PREEMPTED = ("TASK_GONE", "REASON_CONTAINER_PREEMPTED", "SOURCE_EXECUTOR")
STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")

Processes = dict[str, list[tuple[int, float]]]


def run(rig: Rig, scheduler: Scheduler, *tasks: dict[str, Any]) -> str:
    """Launch, and wait until all run; the agent's id."""
    agent = scheduler.launch(list(tasks), rig.executor())
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 60)
    return agent


def regular(rig: Rig) -> Processes:
    """The processes of every regular pod, by the pod's name."""
    return {pod["name"]: rig.processes(pod) for pod in rig.pods() if pod["class"] == "regular"}


def events(rig: Rig, code: str) -> list[dict[str, Any]]:
    """What the living executor's journal has of this code."""
    return [json.loads(line) for line in rig.command("events", "--code", code, "--json").stdout.splitlines()]


def how(status: Status) -> tuple[str, str, str]:
    return status.state, status.reason, status.source
