"""A node whose CPUs are all in use by regular pods: what is taken back is free at once all the same."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from cgroups import qos
from cgroups.cpu import shares_of_weight
from executor.pod.resources.cpu_boost import LATE_S
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, events, how, regular, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

CPU = Path("/sys/fs/cgroup/cpu")
PODS = 10
FIVE = ("sh", "-c", "for n in 1 2 3 4; do sleep 100000 & done; exec sleep 100000")
BUSY = ("sh", "-c", " & ".join(["while :; do :; done"] * 2 * (os.cpu_count() or 2)))
SOON_MS = 2000
"""It takes 0.1 to 0.4 s with urgency. Without, 50 such pods took 1.5 to 6.4 s, and these 10 far more than one."""
MOST = 10.0
"""Times the launch of three pods where none works. 1 to 3 is usual; it was 20 to 40 where starts shared their CPU."""


def test_dying_pods_get_the_cpu_they_need_on_a_busy_node(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, *(rig.pod(f"b{n}", revocable=True, cpus=0.05, mem=16, command=FIVE) for n in range(PODS)))
    run(rig, scheduler, rig.pod("busy", command=BUSY, cpus=4, mem=32))
    before = regular(rig)
    with watched(*shims(rig)) as seen:
        receipt = rig.json("revoke", "--all")
    begin_s = datetime.fromisoformat(events(rig, "revocation.started")[-1]["time"]).timestamp()
    before_a_clean_up = {idle for at_s, idle in seen if at_s < begin_s + LATE_S}
    assert before_a_clean_up == {"1"}, "nobody dies sooner for what shims do, and 50 of them have much to catch up with"
    assert receipt["state"] == "done" and receipt["regular"]["unchanged"]
    assert receipt["time_to_free_ms"] < SOON_MS, receipt["steps"]
    assert {how(scheduler.wait_status(f"b{n}", "TASK_GONE", 60)) for n in range(PODS)} == {PREEMPTED}
    assert regular(rig) == before
    assert wait_for(lambda: lent(rig) == {"1"} or None, 60), "nobody waits for an end any more"


def test_a_launch_does_not_wait_for_revocable_pods_that_work(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("first"))  # it starts the executor
    alone_s = launched(rig, scheduler, "a")
    run(rig, scheduler, *(rig.pod(f"w{n}", revocable=True, command=BUSY, cpus=4, mem=32) for n in range(2)))
    with watched(revocable(rig)) as seen:
        beside_s = launched(rig, scheduler, "b")
    assert beside_s < MOST * alone_s, f"{alone_s:.2f} s without them"
    assert {idle for _, idle in seen} == {"1"}, "regular pods keep what they have"
    shares = [int((pod / "cpu.shares").read_text()) for pod in revocable(rig).glob("_/pod-*")]
    assert sorted(shares) == [shares_of_weight(5)] * 6 + [shares_of_weight(400)] * 2, "each has its own weight again"
    assert wait_for(lambda: lent(rig) == {"1"} or None, 10)
    rig.json("revoke", "--all")


def launched(rig: Rig, scheduler: Scheduler, name: str) -> float:
    """How long the launch of three pods takes."""
    begin_s = time.monotonic()
    run(rig, scheduler, *(rig.pod(f"{name}{n}", revocable=True, cpus=0.05, mem=16) for n in range(3)))
    return time.monotonic() - begin_s


def test_no_regular_pod_queues_behind_what_starts_on_lent_cpu(rig: Rig, scheduler: Scheduler) -> None:
    """Without any idle CPU a revocable pod takes seconds to start: of these, more than may start at the same time."""
    run(rig, scheduler, rig.pod("busy", command=BUSY, cpus=4, mem=32))
    names = [f"b{n}" for n in range(12)]
    lent_pods = [rig.pod(name, revocable=True, cpus=0.05, mem=16) for name in names]
    scheduler.launch(lent_pods, rig.executor())
    wait_for(lambda: len(rig.pods()) == 1 + len(names) or None, 15)
    run(rig, scheduler, rig.pod("late"))
    started = [pod["name"] for pod in rig.pods() if pod["class"] == "revocable" and pod["state"] == "running"]
    assert len(started) < 5, "with one queue for both, five of these had to start first"
    rig.json("revoke", "--all")
    assert {how(scheduler.wait_status(name, "TASK_GONE", 60)) for name in names} == {PREEMPTED}


def test_the_shims_of_revocable_pods_run_on_what_nobody_else_wants(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("kept"), rig.pod("lent", revocable=True))
    (group,) = shims(rig)
    pids = (group / "cgroup.procs").read_text().split()
    assert [Path(f"/proc/{pid}/comm").read_text() for pid in pids] == ["containerd-shim\n"], "one of the two"
    assert lent(rig) == {"1"}, "at the level where they compete with Mesos's containers as well"
    rig.json("revoke", "--all")
    wait_for(lambda: not (group / "cgroup.procs").read_text() or None, 15)
    group.rmdir()  # somebody tidied up
    run(rig, scheduler, rig.pod("again", revocable=True))
    assert (group / "cgroup.procs").read_text() and lent(rig) == {"1"}
    rig.json("revoke", "--all")
    scheduler.kill("kept")
    assert not any(rig.wait_clean().values())
    assert wait_for(lambda: not group.parent.exists() or None, 15), "they go with the executor"


def test_the_executor_s_own_work_yields_to_that_of_its_pods(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"))
    (top,) = Path(CPU, rig.agent.cgroups_root.strip("/")).glob("*/executor/..")
    own, pods = (int((top / name / "cpu.shares").read_text()) for name in ("executor", "pods"))
    assert own == shares_of_weight(qos.EXECUTOR_CPU.cpu_weight or 0) < pods // 4


def lent(rig: Rig) -> set[str]:
    """cpu.idle of the revocable class, of its shims, and of the group of all executors' shims."""
    (own,) = shims(rig)
    return {(group / "cpu.idle").read_text().strip() for group in (revocable(rig), own, own.parent)}


def revocable(rig: Rig) -> Path:
    """The group of the class."""
    (group,) = CPU.glob(f"{rig.agent.cgroups_root.strip('/')}/*/pods/revocable")
    return group


@contextmanager
def watched(group: Path) -> Iterator[list[tuple[float, str]]]:
    """What cpu.idle of it is meanwhile, and until when (time of day)."""
    seen: list[tuple[float, str]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            idle = (group / "cpu.idle").read_text().strip()
            seen.append((time.time(), idle))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def shims(rig: Rig) -> list[Path]:
    return [path for path in (CPU / f"{rig.cgroup.strip('/')}-shims").glob("*") if path.is_dir()]
