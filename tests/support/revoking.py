"""Words that the tests of revocation share."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

UNIFIED = Path("/sys/fs/cgroup/unified")
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


def revived(rig: Rig, receipt: Mapping[str, Any], seconds: float) -> list[str]:
    """What is found in the cgroups of a receipt's victims in the time after it, by the kernel's account."""
    victims = {victim["pod"] for victim in receipt["victims"]}
    top = UNIFIED / str(rig.agent.cgroups_root).lstrip("/")
    found, deadline = list[str](), time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in top.glob("*/pods/revocable/**/cgroup.procs"):
            with contextlib.suppress(OSError):  # it has just been removed
                if not victims.isdisjoint(path.parts) and (pids := path.read_text().split()):
                    found.append(f"{path.parent}: {pids}")
        time.sleep(0.005)
    return found
