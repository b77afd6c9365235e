"""An agent that makes no cgroups ends no pods: the death of an executor ends them, with nobody's help."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

WITHIN_S = 2.0
ORPHANS = ("sh", "-c", "trap '' TERM; for n in 1 2 3; do (setsid sleep 1000 &); done; exec sleep 1000")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(replace(OPTIONS, launcher="posix")) as node:
        yield node


def killed(rig: Rig, _: Scheduler) -> None:
    (owner,) = rig.run_dir.glob("*.owner")
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)


def ended_by_the_agent(rig: Rig, scheduler: Scheduler) -> None:
    """Which kills the executor, the processes below it and their sessions (killtree in stout)."""
    rig.agent.qos_kill(scheduler.framework_id, "mixed")


@pytest.mark.parametrize("death", [killed, ended_by_the_agent])
def test_pods_end_with_their_executor(rig: Rig, death: Callable[[Rig, Scheduler], None]) -> None:
    """Also while containerd does not answer, so that no reaper can begin."""
    with rig.scheduler() as scheduler:
        tasks = [rig.pod("web", command=ORPHANS), rig.pod("batch", command=ORPHANS, revocable=True)]
        scheduler.launch(tasks, rig.executor())
        for name in ("web", "batch"):
            scheduler.wait_status(name, "TASK_RUNNING", 30)
        pods = [psutil.Process(pid) for pod in rig.pods() for pid, _ in rig.processes(pod)]
        assert len(pods) == 8
        os.kill(rig.containerd.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            death(rig, scheduler)
            _, left = psutil.wait_procs(pods, WITHIN_S)
            took_s = time.monotonic() - begin
        finally:
            os.kill(rig.containerd.pid, signal.SIGCONT)
        assert not left
        print(f"8 processes of two pods ended {took_s * 1e3:.0f} ms after their executor")
        for name in ("web", "batch"):
            scheduler.wait_status(name, TERMINAL, 20)
        assert wait_for(lambda: None if list(rig.run_dir.glob("*.owner")) else True, 30), "the watcher reaps the rest"
        assert not any((leaks := rig.wait_clean()).values()), leaks
