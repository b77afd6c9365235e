"""Words that the tests of revocation share."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

UNIFIED, FREEZER = Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/freezer")
PREEMPTED = ("TASK_GONE", "REASON_CONTAINER_PREEMPTED", "SOURCE_EXECUTOR")
STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")
DAEMONS = ("sh", "-c", "trap '' TERM; for n in 1 2 3; do setsid sh -c 'setsid sleep 1000 &' & done; sleep 1000")
"""Processes whose parents are gone, in sessions of their own."""

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


def alive(rig: Rig, pods: Collection[str] = ()) -> list[str]:
    """Processes in the cgroups of these pods, or of any revocable pod, by the kernel's account in two hierarchies."""
    found = list[str]()
    for point in (UNIFIED, FREEZER):
        for directory, _, _ in os.walk(point / str(rig.agent.cgroups_root).lstrip("/")):
            parts = Path(directory).parts
            if "revocable" in parts and (not pods or not set(pods).isdisjoint(parts)):
                with contextlib.suppress(OSError):  # it has just been removed
                    pids = Path(directory, "cgroup.procs").read_text().split()
                    found += [f"{directory}: {pids}"] if pids else []
    return found


def revived(rig: Rig, receipt: Mapping[str, Any], seconds: float) -> list[str]:
    """What is found alive of a receipt's victims in the time after it."""
    victims = {victim["pod"] for victim in receipt["victims"]}
    found, deadline = list[str](), time.monotonic() + seconds
    while victims and time.monotonic() < deadline:
        found += alive(rig, victims)
        time.sleep(0.005)
    return found


def tightened(group: Path, limit_bytes: int) -> bool:
    """v1 refuses a limit while it cannot reclaim down to it."""
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit_bytes))
    except OSError:
        return False
    return True


def unharmed(rig: Rig, before: list[dict[str, Any]]) -> bool:
    """Every pod of `before` still runs the processes it had."""
    names = {pod["name"] for pod in before}
    now = {pod["name"]: (pod["pod"], pod["containers"][0]["pid"]) for pod in rig.pods() if pod["name"] in names}
    assert now == {pod["name"]: (pod["pod"], pod["containers"][0]["pid"]) for pod in before}
    return all(regular(rig)[pod["name"]] for pod in before if pod["class"] == "regular")
