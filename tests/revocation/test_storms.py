"""Whatever the pods and the node are doing: nothing revocable survives, nothing regular is touched."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, STUBBORN, events, how, regular, run
from tests.support.rig import SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PIDS_MAX = 200
BOMB = ("sh", "-c", "bomb() { while :; do bomb & done; }; bomb & exec sleep 1000")
"""A shell that cannot fork ends, and makes room for its siblings to go on."""
FORKER = ("sh", "-c", "trap '' TERM; while :; do sh -c 'sleep 0.01 & setsid sleep 0.02 &'; done")
COMMANDS = {"sleep": SLEEP, "stubborn": STUBBORN, "forker": FORKER}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config={"PODS_PIDS_MAX": str(PIDS_MAX)}) as node:
        yield node


def revocable_left(rig: Rig) -> list[str]:
    """Pods of the revocable class that have a process, by the kernel."""
    return [pod["name"] for pod in rig.pods() if pod["class"] == "revocable" and rig.processes(pod)]


def count(path: Path) -> int:
    return int(path.read_text())


def test_a_fork_bomb_is_held_by_its_limit_and_ends_with_the_revocation(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("bomb", revocable=True, command=BOMB, mem=128))
    (bomb,) = [pod for pod in rig.pods() if pod["name"] == "bomb"]
    pids = Path("/sys/fs/cgroup/pids") / bomb["cgroup"].lstrip("/")
    assert wait_for(lambda: count(pids / "pids.current") > PIDS_MAX // 2 or None, 20)
    assert count(pids / "pids.max") == PIDS_MAX
    before = regular(rig)
    receipt = rig.json("revoke", "--all", "--grace", "300ms")
    assert receipt["state"] == "done" and revocable_left(rig) == []
    assert how(scheduler.wait_status("bomb", "TASK_GONE", 20)) == PREEMPTED
    assert regular(rig) == before and receipt["regular"]["unchanged"]


def test_while_containerd_restarts(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"))
    names = [f"b{n}" for n in range(6)]
    run(rig, scheduler, *(rig.pod(name, revocable=True, command=STUBBORN) for name in names))
    before, victims = regular(rig), [pid for pod in rig.pods() for pid, _ in rig.processes(pod)]
    victims = [pid for pid in victims if pid not in {pid for pids in before.values() for pid, _ in pids}]
    rig.containerd.kill()
    restart = threading.Timer(1.0, rig.containerd.start)
    restart.start()
    begin = time.monotonic()
    receipt = rig.json("revoke", "--all")
    assert receipt["state"] == "done" and time.monotonic() - begin < 10
    assert not [pid for pid in victims if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    restart.join()
    for name in names:
        assert how(scheduler.wait_status(name, "TASK_GONE", 30)) == PREEMPTED
    assert regular(rig) == before


def test_in_the_middle_of_launches_while_containerd_restarts(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"))
    before = regular(rig)
    names = [f"b{n}" for n in range(12)]
    scheduler.launch([rig.pod(name, revocable=True, cpus=0.05) for name in names], rig.executor())
    scheduler.wait_status("b0", "TASK_STARTING", 30)
    rig.containerd.kill()
    restart = threading.Timer(0.5, rig.containerd.start)
    restart.start()
    receipt = rig.json("revoke", "--all", "--id", "middle")
    restart.join()
    taken = {task for victim in receipt["victims"] for task in victim["tasks"]}
    for name in names:  # a launch that met the gap before the revocation has failed by itself
        status = scheduler.wait_status(name, ("TASK_GONE", "TASK_FAILED"), 60)
        assert status.state == ("TASK_GONE" if name in taken else "TASK_FAILED"), status
    assert wait_for(lambda: True if not revocable_left(rig) else None, 10)
    assert regular(rig) == before


# --- random scripts ------------------------------------------------------------------------------------------

STEP = st.one_of(
    st.tuples(st.just("launch"), st.sampled_from(sorted(COMMANDS)), st.integers(1, 3)),
    st.tuples(st.just("kill"), st.integers(0, 5), st.sampled_from([0.0, 0.2])),
    st.tuples(st.just("revoke"), st.sampled_from(["0s", "100ms", "1s"]), st.booleans()),
    st.tuples(st.just("pause"), st.sampled_from([0.0, 0.05, 0.2]), st.none()),
)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(script=st.lists(STEP, min_size=4, max_size=10))
def test_any_order_of_launches_kills_and_revocations(rig: Rig, script: list[tuple[object, ...]]) -> None:
    with rig.scheduler(name="script") as scheduler:
        agent = run(rig, scheduler, rig.pod("web"), rig.pod("db"))
        before, tasks = regular(rig), list[str]()
        for kind, first, second in script:
            if kind == "launch" and isinstance(second, int):
                names = [f"t{len(tasks) + n}" for n in range(second)]
                command = COMMANDS[str(first)]
                scheduler.launch(
                    [rig.pod(name, revocable=True, cpus=0.05, command=command) for name in names], rig.executor()
                )
                tasks += names
            elif kind == "kill" and isinstance(first, int) and tasks:
                scheduler.kill(tasks[first % len(tasks)], grace_s=float(str(second)))
            elif kind == "revoke":
                request = {"revoke": {"select": {"all": True}, "grace": first}}
                scheduler.message(agent, "mixed", json.dumps(request).encode())
            elif kind == "pause":
                time.sleep(float(str(first)))
        for task in tasks:  # what Mesos still holds back is on its way: a task that is not here yet cannot be revoked
            scheduler.wait_status(task, ("TASK_STARTING", "TASK_KILLED", "TASK_GONE", "TASK_FAILED"), 30)
        receipt = rig.json("revoke", "--all")
        assert receipt["state"] == "done" and receipt["regular"]["unchanged"]
        assert revocable_left(rig) == []
        for task in tasks:
            assert scheduler.wait_status(task, ("TASK_KILLED", "TASK_GONE"), 30).state
            own = [status for status in scheduler.statuses(task) if status.source == "SOURCE_EXECUTOR"]
            ends = [status.state for status in own if status.state in ("TASK_KILLED", "TASK_GONE")]
            assert len(ends) <= 1, own  # the agent itself answers a KILL that meets a launch on its way
        assert regular(rig) == before
        assert events(rig, "pod.illegal_transition") + events(rig, "pod.defect") == []
    assert not any((leaks := rig.wait_clean()).values()), leaks
