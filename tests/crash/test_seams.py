"""An executor that is killed at every seam of launch, kill, revocation and release: whoever comes then releases what it
left, and its tasks have the statuses that it had sent, and an end.

    tests/run crash -- tests/crash/test_seams.py --seams=all     # before and after each, and the second time as well
    tests/run crash -- tests/crash/test_seams.py --seams=Cni.    # those of this name

What comes then: the watcher of the dead executor; without it, another executor of the node, as the other half of a
pair.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.crash import dying_executor, seams
from tests.crash.dying_executor import RECORD
from tests.crash.launching import since
from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import regular
from tests.support.rig import PROGRAM, PROGRAM_ENVIRONMENT, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PROGRAM_DYING = (PROGRAM[0], "-m", "tests.crash.dying_executor")
AT_ONCE = 6
"""Executors that live at the same time: there are two cores in CI."""
LIFE_S = 90.0
CLEAN_S = 60.0
GRACE_S = 0.2
RESTART_S = 4.0
"""Until a probe has failed, the grace of its container is over, and that runs again."""
BUSY = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"
REVOCABLE, RESTARTED, ABORTED = "revocable", "restarted", "aborted"
NEEDS = {
    RESTARTED: (
        "effect/Kill",
        "Containers.kill",
        "Containers.renew",
        "Containers.remove",
        "Snapshots.usage",
        "Snapshots.mounts",
    ),
    ABORTED: ("effect/Abort",),
}
"""Seams for which an executor has a further pod; with RESTARTED it lives for RESTART_S, as a count of disks needs."""
UNMET = {
    "PodVolumes.update": "a framework's message with new objects",
    "PodVolumes.write_private": "a secret runtime",
    "Containers.kill_all": "processes that outlive the kill of their cgroup",
    "Ladder.kill_by_containerd": "the same",
    "Ladder.all_ended": "the same",
    "Tasks.kill": "the same",
    "Tasks.close_stdin": "exec, from the command line",
    "Tasks.resize": "exec, from the command line",
    "Tasks.update": "the executor writes the limits itself",
    "Tasks.get": "it changes nothing",
    "Tasks.list": "it changes nothing",
    "Tasks.pids": "it changes nothing",
    "Cni.check": "it changes nothing",
    "Cni.status": "it changes nothing",
    "Leases.keep": "an image is unpacked",
    "Snapshots.commit": "an image is unpacked",
}
"""Seams that these pods come to by chance at most, and what does."""
TRIES = 3
"""Some seams are met nearly always: a pod's own grace may end in the moment before Ladder._kill, for example."""
ENDLESS = {("Cni.keep_rules", "after")}
ONCE = ("Cni.keep_rules", "Ladder.", "Receipts.", "effect/Abort")
"""Seams that are met once."""


@dataclass
class Case:
    """One executor, killed at one seam."""

    at: str
    watched: bool
    name: str
    tasks: list[str] = field(default_factory=list)
    sandbox: Path = Path()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(program=PROGRAM_DYING) as node:
        yield node


def pods(rig: Rig, case: Case) -> list[dict[str, Any]]:
    """A regular pod with a probe, a hook and mounts, and a revocable one that ends by SIGKILL only. Where the seam
    needs it, a pod whose container is killed and started again for its probe, and one that is killed while it is
    launched.
    """
    name, seam = case.name, case.at.split(" ")[0]
    hook = {"postStart": {"exec": {"command": ["true"]}}, "preStop": {"exec": {"command": ["true"]}}}
    probed = {
        "command": ["sh", "-c", BUSY],
        "lifecycle": hook,
        "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1},
        "volumeMounts": [{"name": "memory", "mountPath": "/memory", "subPath": "part"}],
    }
    volumes = {"volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}]}
    failing = {
        "command": ["sh", "-c", STUBBORN],
        "livenessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1},
    }
    again = {"restartPolicy": "Always", "terminationGracePeriodSeconds": 1}
    others = {
        RESTARTED: rig.pod(f"{name}-{RESTARTED}", spec=again, container=failing, cpus=0.05, mem=16),
        ABORTED: rig.pod(f"{name}-{ABORTED}", cpus=0.05, mem=16),
    }
    return [
        rig.pod(f"{name}-regular", spec=volumes, container=probed, cpus=0.05, mem=16),
        rig.pod(f"{name}-{REVOCABLE}", revocable=True, command=("sh", "-c", STUBBORN), cpus=0.05, mem=16),
        *(pod for kind, pod in others.items() if seam in (*NEEDS[kind], RECORD)),
    ]


def begin(rig: Rig, scheduler: Scheduler, case: Case) -> None:
    """Launch its executor with the two pods."""
    environment = {**PROGRAM_ENVIRONMENT, dying_executor.AT: case.at}
    if not case.watched:
        environment[dying_executor.UNWATCHED] = "1"
    tasks = pods(rig, case)
    case.tasks = [task["name"] for task in tasks]
    scheduler.launch(tasks, rig.executor(case.name, environment=environment), timeout_s=30)


def live(rig: Rig, scheduler: Scheduler, cases: Sequence[Case]) -> None:
    """Revoke and kill the pods of those executors that get so far; until all tasks have ended."""
    agent, asked = rig.agent.agent_id, set[str]()
    deadline = time.monotonic() + LIFE_S

    def over() -> bool:
        for case in cases:
            for task in case.tasks:
                if task.endswith(ABORTED) and task not in asked and scheduler.states(task) == ["TASK_STARTING"]:
                    asked.add(task)
                    scheduler.kill(task)
            if case.name not in asked and all(is_ready(scheduler, task) for task in case.tasks):
                asked.add(case.name)
                revoke = {"revoke": {"id": case.name, "select": {"all": True}, "grace": GRACE_S}}
                scheduler.message(agent, case.name, json.dumps(revoke).encode())
                for task in case.tasks:
                    if not task.endswith((REVOCABLE, ABORTED)):
                        scheduler.kill(task)
        return all(set(scheduler.states(task)) & TERMINAL for case in cases for task in case.tasks)

    while not over():
        assert time.monotonic() < deadline, {t: scheduler.states(t) for c in cases for t in c.tasks}
        time.sleep(0.05)


def is_ready(scheduler: Scheduler, task: str) -> bool:
    """Whether it is as far as it is to come before the end is asked for: restarted, where it is to be."""
    states = scheduler.states(task)
    if task.endswith(RESTARTED):
        running = [status.at_s for status in scheduler.statuses(task) if status.state == "TASK_RUNNING"]
        return bool(running) and time.time() - running[0] > RESTART_S
    return "TASK_RUNNING" in states or bool(set(states) & TERMINAL)


def told(case: Case) -> dict[str, list[str]]:
    """The uuids of the statuses that the executor wrote down, by task."""
    path = case.sandbox / "journal.jsonl"
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        event = json.loads(line)
        if event["code"] == "task.status":
            found.setdefault(event["task"], []).append(event["update"])
    return found


def check_statuses(scheduler: Scheduler, case: Case) -> None:
    """What the scheduler has is what the executor had sent, in order; then the agent's word, if that had no end."""
    written = told(case)
    for task in case.tasks:
        record = {status.raw["uuid"]: status for status in scheduler.statuses(task) if "uuid" in status.raw}
        own = [uuid for uuid, status in record.items() if status.source == "SOURCE_EXECUTOR"]
        ends = [status for status in record.values() if status.state in TERMINAL]
        text = f"{case}: {[*map(str, record.values())]}"
        assert own == written.get(task, [])[: len(own)], text
        assert len(ends) == 1 and ends[0] is list(record.values())[-1], text
        if ends[0].source != "SOURCE_EXECUTOR":
            assert (ends[0].state, ends[0].reason) == ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED"), text


def chosen(option: str) -> list[str]:
    """SEAM MOMENT NUMBER: both moments of an effect, and after each step, for before it is after the last one."""
    every = option != "few"
    found = [
        f"{seam} {moment} 1"
        for seam in seams.names()
        if seam not in UNMET
        for moment in seams.MOMENTS
        if every or seam.startswith(seams.EFFECT) or moment == "after"
        if (seam, moment) not in ENDLESS and (option in {"few", "all"} or option in seam)
    ]
    return [*found, *(each.replace(" 1", " 2") for each in found if option == "all" and not each.startswith(ONCE))]


def test_every_seam_is_met(rig: Rig, scheduler: Scheduler) -> None:
    """By an executor that lives: the other test is about all seams."""
    met: set[str] = set()
    for number in range(TRIES):
        case = Case(RECORD, watched=True, name=f"records-{number}")
        begin(rig, scheduler, case)
        live(rig, scheduler, [case])
        case.sandbox = rig.agent.sandbox(scheduler.framework_id, case.name)
        assert wait_for(lambda: True if not rig.wait_clean(1.0).get("containers") else None, 30)
        met |= set((case.sandbox / dying_executor.MET).read_text().splitlines())
        missing = set(seams.names()) - met - set(UNMET)
        print(f"{len(met)} of {len(seams.names())} seams; by chance: {sorted(met & set(UNMET))}")
        if not missing:
            return
    raise AssertionError(f"{sorted(missing)} are not met")


@pytest.mark.timeout(1800)  # the long form; the short one takes two minutes
def test_every_seam(rig: Rig, scheduler: Scheduler, request: pytest.FixtureRequest) -> None:
    """AT_ONCE executors at a time, beside one that lives. Every third one has no watcher."""
    cases = [
        Case(at, watched=bool(number % 3), name=f"seam-{number}")
        for number, at in enumerate(chosen(request.config.getoption("--seams")))
    ]
    scheduler.launch([rig.pod("survivor")], rig.executor("survivor"))
    scheduler.wait_status("survivor", "TASK_RUNNING", 60)
    there, before = remains(rig), regular(rig)
    begun_s = time.monotonic()
    for number in range(TRIES):
        cases = [replace(case, name=f"{case.name}-{number}") for case in cases]
        kill_all(rig, scheduler, cases, there, before)
        cases = [case for case in cases if not is_met(case)]
        print(f"\nnot met: {[case.at for case in cases]}", flush=True)
        if not cases:
            break
    assert not cases, f"{[case.at for case in cases]} were not met"
    print(f"\nall kills took {time.monotonic() - begun_s:.0f} s")


def is_met(case: Case) -> bool:
    """Whether its executor was killed where it should be."""
    died = case.sandbox / dying_executor.DIED
    return died.exists() and died.read_text().strip() == case.at


def kill_all(rig: Rig, scheduler: Scheduler, cases: Sequence[Case], there: Any, before: Any) -> None:
    """Each at its seam; then nothing is left of them, and their statuses are what they wrote down."""
    for start in range(0, len(cases), AT_ONCE):
        batch, batch_s = cases[start : start + AT_ONCE], time.monotonic()
        for case in batch:
            begin(rig, scheduler, case)
        live(rig, scheduler, batch)
        for case in batch:
            case.sandbox = rig.agent.sandbox(scheduler.framework_id, case.name)
        wait_for(lambda: True if not since(remains(rig), there) else None, CLEAN_S)
        assert since(remains(rig), there) == {}, [case.at for case in batch]
        for case in batch:
            check_statuses(scheduler, case)
        assert regular(rig) == before
        print(f"\n{time.monotonic() - batch_s:5.1f} s: {', '.join(case.at for case in batch)}", end="", flush=True)
