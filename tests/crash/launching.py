"""An executor that is killed while it launches pods, and what becomes of its tasks and of what it made."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

PODS = 12
STATUS_S = 90.0
MOUNTED: dict[str, Any] = {
    "spec": {
        "volumes": [
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "about", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        ]
    },
    "container": {
        "volumeMounts": [
            {"name": "memory", "mountPath": "/memory", "subPath": "part"},
            {"name": "about", "mountPath": "/about"},
        ]
    },
}
"""Volumes that need mounts on the node."""
CLEAN_S = 20.0


@dataclass
class Outcome:
    """What came of one kill. `latest_s` is from the kill to the last terminal status."""

    delay_s: float
    states: dict[str, int]
    latest_s: float
    gc_exit: int
    gc_s: float
    gc: dict[str, Any] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)


def owner_files(rig: Rig) -> set[Path]:
    return set(rig.run_dir.glob("*.owner"))


def kill_in_launch(rig: Rig, scheduler: Scheduler, name: str, delay_s: float, *, qos: bool = False) -> Outcome:
    """Launch PODS pods of both classes, kill their executor `delay_s` after the first is being set up. What was there
    before is not in `left`.
    """
    there = remains(rig)
    before = owner_files(rig)
    tasks = [rig.pod(f"{name}-{n}", revocable=bool(n % 2), **(MOUNTED if n % 3 else {})) for n in range(PODS)]
    names = [task["name"] for task in tasks]
    scheduler.launch(tasks, rig.executor(name))
    for task in names[:1]:
        scheduler.wait_status(task, "TASK_STARTING", 30)
    (owner,) = owner_files(rig) - before
    pid = int(json.loads(owner.read_text())["pid"])
    time.sleep(delay_s)
    states: dict[str, int] = {}
    for task in names:
        state = (scheduler.states(task) or ["none"])[-1]
        states[state] = states.get(state, 0) + 1
    killed = time.monotonic()
    if qos:
        rig.agent.qos_kill(scheduler.framework_id, name)
    else:
        os.kill(pid, signal.SIGKILL)
    for task in names:
        scheduler.wait_status(task, TERMINAL, STATUS_S)
    latest_s = time.monotonic() - killed
    return Outcome(delay_s, states, latest_s, *collect(rig, there))


def collect(rig: Rig, there: dict[str, list[str]]) -> tuple[int, float, dict[str, Any], dict[str, list[str]]]:
    """What gc says, and what is left once it and the dead executor's watcher have ended."""
    begun = time.monotonic()
    done = rig.command("gc", "--json", check=False)
    document = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
    wait_for(lambda: True if not since(remains(rig), there) else None, CLEAN_S)
    return done.returncode, time.monotonic() - begun, document, since(remains(rig), there)


def since(now: dict[str, list[str]], there: dict[str, list[str]]) -> dict[str, list[str]]:
    found = {kind: sorted(set(names) - set(there.get(kind, []))) for kind, names in now.items()}
    return {kind: names for kind, names in found.items() if names}
