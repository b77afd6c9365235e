"""Launches, kills and revocations amid faults by a seed: nothing is left, and the scheduler has what happened.

    tests/run crash -- tests/crash/test_cycles.py -s --cycles 1000 --seed 7

Between the executor and containerd, the CNI plugins and the agent there are the peers of tests/support/faults*.py.
Beside their faults, each batch of pods meets at most one of: containerd is killed, stopped or hangs, its connections
break, a shim is killed, the agent is killed or hangs. The batch number B of a run with the seed S is the first one of
a run with the seed S + B. After each batch nothing may be left, each task has the statuses that its executor wrote
down, one end, the right one, and the regular pods run on: one of the same executor, and those of another one. A batch
that fails prints what is known of every executor, of the agent and of the master.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from tests.crash.cycles import BATCH, PROGRAMS, SPREAD_S, Cycle, ends, is_right, journal, plan, record
from tests.crash.launching import since
from tests.crash.remains import remains
from tests.support import faults_agent, faults_cni, faults_containerd
from tests.support.faults import Faults, Plan
from tests.support.faults_agent import AgentFaults
from tests.support.faults_containerd import ContainerdFaults
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

END_S, CLEAN_S = 90.0, 90.0
LOG_LINES = 150
"""Of the agent and of the master, when a batch fails."""
AGAIN_S = 4.0
"""A KILL that the agent sends while its executor is away is lost, and so is a message."""
REGULAR = ("steady-0", "steady-1", "stay")
"""Tasks of pods that run all the time."""
DEFECTS = ("pod.illegal_transition", "pod.defect", "executor.defect", "mesos.update_after_end", "mesos.driver_failed")


@dataclass
class Faulty:
    """A node whose peers fail, with an executor that meets that and one that does not."""

    rig: Rig
    containerd: ContainerdFaults
    cni: Faults
    agent: AgentFaults
    counts: Counter[str] = field(default_factory=Counter)

    def set(self, seed: int | None) -> None:
        """The plans of one batch; None: no faults."""
        plans = (
            (self.containerd, 0.06, faults_containerd.KINDS, 2.0),
            (self.cni, 0.10, faults_cni.KINDS, 8.0),
            (self.agent, 0.5, faults_agent.KINDS, 1.5),
        )
        for peer, rate, kinds, longest_s in plans:
            peer.set(None if seed is None else Plan(seed, rate, kinds, longest_s))

    def executor(self) -> dict[str, Any]:
        """The one whose peers fail."""
        return self.agent.between(self.rig.executor("faulty", config={"CONTAINERD_ADDRESS": self.containerd.address}))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    directory = tmp_path_factory.mktemp("f")
    cni = faults_cni.make(directory / "n")
    config = {"CNI_PLUGIN_DIRS": str(directory / "n/plugins"), "CNI_TIMEOUT_S": "5"}
    with ExitStack() as stack:
        rig = stack.enter_context(Rig(config=config))
        containerd = stack.enter_context(ContainerdFaults(rig.containerd.address, directory / "c"))
        agent = stack.enter_context(AgentFaults(rig.agent.endpoint, directory / "a"))
        yield Faulty(rig, containerd, cni, agent)


@pytest.mark.timeout(36000)  # as many cycles as are asked for; the short form takes a minute
def test_cycles(faulty: Faulty, request: pytest.FixtureRequest) -> None:
    cycles, seed = request.config.getoption("--cycles"), request.config.getoption("--seed")
    rig, begun_s = faulty.rig, time.monotonic()
    with rig.scheduler(name="cycles") as scheduler:
        scheduler.launch([rig.pod(f"steady-{number}") for number in range(2)], rig.executor("steady"))
        scheduler.launch([rig.pod("stay"), rig.pod("first", revocable=True)], faulty.executor())
        for task in (*REGULAR, "first"):
            scheduler.wait_status(task, "TASK_RUNNING", 60)
        scheduler.kill("first")  # what an executor makes once is there now
        assert wait_for(lambda: True if len(rig.pods()) == 3 else None, 60)
        regular = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
        there = remains(rig)
        for batch in range(-(-cycles // BATCH)):
            try:
                run_batch(faulty, scheduler, seed + batch, there)
                check_regular(rig, scheduler, regular)
            except BaseException:
                print(f"\nseed {seed + batch}: {json.dumps(injected(faulty))}")
                print_evidence(rig, scheduler)
                raise
    print(f"\n{cycles} cycles in {time.monotonic() - begun_s:.0f} s: {dict(sorted(faulty.counts.items()))}")


def check_regular(rig: Rig, scheduler: Scheduler, regular: dict[str, list[tuple[int, float]]]) -> None:
    """They have the processes of the beginning, and no status has come since."""
    statuses = {task: [*map(str, scheduler.statuses(task))] for task in REGULAR}
    assert all(states[-1:] == ["TASK_RUNNING"] for states in map(scheduler.states, REGULAR)), statuses
    assert {pod["name"]: rig.processes(pod) for pod in rig.pods()} == regular, statuses


def print_evidence(rig: Rig, scheduler: Scheduler) -> None:
    """What tells why an executor ended, or did not answer."""
    for task in REGULAR:
        print(f"{task}: {[*map(str, scheduler.statuses(task))]}")
    print("\n".join(sorted(map(str, rig.run_dir.glob("*")))))
    for process in psutil.process_iter(["pid", "cmdline", "status", "create_time"]):
        if "executor" in str(process.info["cmdline"]):
            print(process.info)
    for arguments in (("ps", "-a"), ("events",)):
        done = rig.command(*arguments, check=False)
        print(f"--- {arguments}: {done.returncode}, {done.stderr}\n" + "\n".join(done.stdout.splitlines()[-LOG_LINES:]))
    for peer in (rig.agent, rig.cluster.master):
        print("\n".join(peer.log().splitlines()[-LOG_LINES:]))
    rig.keep_evidence()


def injected(faulty: Faulty) -> list[dict[str, Any]]:
    """The latest faults."""
    return [each for peer in (faulty.containerd, faulty.cni, faulty.agent) for each in peer.injected()[-60:]]


def run_batch(faulty: Faulty, scheduler: Scheduler, seed: int, there: dict[str, list[str]]) -> None:
    """Launch, end, and look at what became of it."""
    cycles, event = plan(seed)
    rig, start, begun_s = faulty.rig, scheduler.mark(), time.monotonic()
    faulty.set(seed)
    shims = set(rig.containerd.shims())
    at_s = random.Random(seed).uniform(0.2, 2 * SPREAD_S)
    meanwhile = threading.Timer(at_s, happen, (faulty, event, shims, seed))
    meanwhile.start()
    moments = [(cycle.launch_s, launch, cycle) for cycle in cycles] + [
        (each.end_s, ask_to_end, each) for each in cycles
    ]
    for moment_s, act, cycle in sorted(moments, key=lambda moment: moment[0]):
        time.sleep(max(0.0, begun_s + moment_s - time.monotonic()))
        act(faulty, scheduler, cycle)
    meanwhile.join()
    time.sleep(0.5)
    faulty.set(None)
    wait_ended(faulty, scheduler, cycles, start)
    wait_for(lambda: True if not since(remains(rig), there) else None, CLEAN_S)
    assert since(remains(rig), there) == {}
    check(faulty, scheduler, cycles, event, start)
    faulty.counts[event] += 1
    print(f"\nseed {seed}: {event}, {time.monotonic() - begun_s:.1f} s", end="", flush=True)


def launch(faulty: Faulty, scheduler: Scheduler, cycle: Cycle) -> None:
    pod = faulty.rig.pod(cycle.task, revocable=cycle.revocable, command=PROGRAMS[cycle.program], cpus=0.05, mem=16)
    scheduler.launch([pod], faulty.executor(), timeout_s=60)


def ask_to_end(faulty: Faulty, scheduler: Scheduler, cycle: Cycle) -> None:
    """Nobody ends a program that ends by itself."""
    if cycle.program in {"ends", "fails"}:
        return
    cycle.asked = True
    if cycle.revoked:
        revoke = {"select": {"tasks": [cycle.task]}, "id": cycle.task, "grace": "300ms"}
        scheduler.message(faulty.rig.agent.agent_id, "faulty", json.dumps({"revoke": revoke}).encode())
    else:
        scheduler.kill(cycle.task, grace_s=0.3)


def happen(faulty: Faulty, event: str, shims: set[int], seed: int) -> None:
    """To the node; it is as before when this returns."""
    rig, chance = faulty.rig, random.Random(seed)
    away_s = chance.uniform(0.1, 2.5)
    match event:
        case "containerd killed" | "containerd stopped":
            (rig.containerd.kill if event.endswith("killed") else rig.containerd.stop)()
            time.sleep(away_s)
            rig.containerd.start()
        case "containerd hangs":
            hang(rig.containerd.pid, away_s)
        case "connections break":
            faulty.containerd.stop()
            time.sleep(away_s / 4)
            faulty.containerd.start()
        case "a shim is killed":
            if ours := sorted(set(rig.containerd.shims()) - shims):
                psutil.Process(chance.choice(ours)).kill()
        case "agent killed":
            rig.agent.restart(down_s=away_s)
        case "agent hangs":
            hang(rig.agent.pid, away_s)


def hang(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_ended(faulty: Faulty, scheduler: Scheduler, cycles: list[Cycle], start: int) -> None:
    """Until every task has; those that did not hear of it are asked again."""
    deadline, next_s = time.monotonic() + END_S, time.monotonic() + AGAIN_S
    while living := [cycle for cycle in cycles if not ends(scheduler, cycle, start)]:
        assert time.monotonic() < deadline, [[*map(str, scheduler.statuses(each.task))] for each in living]
        if time.monotonic() > next_s:
            next_s = time.monotonic() + AGAIN_S
            for cycle in living:
                if cycle.asked:
                    cycle.again = True
                    scheduler.kill(cycle.task, grace_s=0.3)
        time.sleep(0.1)


def check(faulty: Faulty, scheduler: Scheduler, cycles: list[Cycle], event: str, start: int) -> None:
    """The scheduler's record against what the executor wrote down, and against what was to happen."""
    sandbox = faulty.rig.agent.sandbox(scheduler.framework_id, "faulty")
    written: dict[str, list[str]] = {}
    for line in journal(sandbox):
        assert line["code"] not in DEFECTS, line
        if line["code"] == "task.status":
            written.setdefault(line["task"], []).append(line["update"])
    for cycle in cycles:
        told = record(scheduler, cycle, start)
        text = f"{cycle}: {[*map(str, told)]}"
        own = [status.raw["uuid"] for status in told if status.source == "SOURCE_EXECUTOR"]
        assert own == written.get(cycle.task, []), f"{text}; written: {written.get(cycle.task)}"
        assert [status.state in TERMINAL for status in told] == [False] * (len(told) - 1) + [True], text
        assert told[-1].source == "SOURCE_EXECUTOR" or not own, text
        assert is_right(cycle, told, event), text
        faulty.counts[told[-1].state] += 1
