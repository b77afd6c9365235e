"""Cycles of one pod each: what is to happen to a batch of them by a seed, and what the scheduler may be told then."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import SLEEP

BATCH = 8
SPREAD_S = 1.5
"""Each pod is launched, killed and revoked within this time, at moments by the seed."""
STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")
PROGRAMS = {
    "runs": SLEEP,
    "stubborn": STUBBORN,
    "ends": ("sh", "-c", "sleep 0.4"),
    "fails": ("sh", "-c", "sleep 0.4; exit 3"),
}
EVENTS = (
    "none",
    "none",
    "containerd killed",
    "containerd stopped",
    "containerd hangs",
    "connections break",
    "a shim is killed",
    "agent killed",
    "agent hangs",
)


@dataclass
class Cycle:
    """One pod's, with the times from the begin of its batch in seconds."""

    task: str
    program: str
    revocable: bool
    launch_s: float
    end_s: float
    revoked: bool
    asked: bool = False
    again: bool = False
    """The end was asked for a second time, by a KILL."""


def plan(seed: int) -> tuple[list[Cycle], str]:
    """The pods of a batch, and what happens to the node."""
    chance = random.Random(seed)
    cycles = []
    for number in range(BATCH):
        program, revocable = chance.choice([*PROGRAMS]), chance.random() < 0.5
        launch_s = chance.uniform(0, SPREAD_S)
        end_s = launch_s + chance.uniform(0, SPREAD_S)
        revoked = revocable and chance.random() < 0.6
        cycles.append(Cycle(f"s{seed}-{number}", program, revocable, launch_s, end_s, revoked))
    return cycles, chance.choice(EVENTS)


def record(scheduler: Scheduler, cycle: Cycle, start: int) -> list[Status]:
    """What the scheduler was told, each update once."""
    found = {
        status.raw["uuid"]: status for status in scheduler.statuses(cycle.task, start=start) if status.raw.get("uuid")
    }
    return list(found.values())


def ends(scheduler: Scheduler, cycle: Cycle, start: int) -> list[Status]:
    return [status for status in record(scheduler, cycle, start) if status.state in TERMINAL]


def journal(sandbox: Path) -> Iterator[dict[str, Any]]:
    for name in ("journal.jsonl.1", "journal.jsonl"):
        if (path := sandbox / name).exists():
            yield from map(json.loads, path.read_text().splitlines())


def is_right(cycle: Cycle, told: list[Status], event: str) -> bool:
    """Whether the end is what was to happen. One that did not run may have failed for a fault. A launch or a KILL that
    never reached the executor is answered by the agent.
    """
    end = told[-1]
    if end.source != "SOURCE_EXECUTOR":
        return end.state in {"TASK_DROPPED", "TASK_LOST", "TASK_KILLED"}
    allowed = set[tuple[str, str]]()
    if cycle.program in {"ends", "fails"}:
        allowed |= {("TASK_FINISHED", "")} if cycle.program == "ends" else {("TASK_FAILED", "")}
    if cycle.asked and (not cycle.revoked or cycle.again):
        allowed |= {("TASK_KILLED", reason) for reason in ("", "REASON_TASK_KILLED_DURING_LAUNCH")}
    if cycle.asked and cycle.revoked:
        allowed.add(("TASK_GONE", "REASON_CONTAINER_PREEMPTED"))
    if event == "a shim is killed" or "TASK_RUNNING" not in {status.state for status in told}:
        return end.state == "TASK_FAILED" or (end.state, end.reason) in allowed
    return (end.state, end.reason) in allowed
