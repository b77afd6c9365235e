"""Whatever the pods and the node are doing: nothing revocable survives, nothing regular is touched."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import DAEMONS, PREEMPTED, STUBBORN, alive, events, how, regular, revived, run
from tests.support.rig import SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PIDS_MAX = 200
AFTERWARDS_S = 0.5
BOMB = ("sh", "-c", "bomb() { while :; do bomb & done; }; bomb & exec sleep 1000")
"""A shell that cannot fork ends, and makes room for its siblings to go on."""
FORKER = ("sh", "-c", "trap '' TERM; while :; do sh -c 'sleep 0.01 & setsid sleep 0.02 &'; done")
COMMANDS = {"sleep": SLEEP, "stubborn": STUBBORN, "forker": FORKER, "daemons": DAEMONS}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config={"PODS_PIDS_MAX": str(PIDS_MAX)}) as node:
        yield node


def count(path: Path) -> int:
    return int(path.read_text())


@pytest.mark.parametrize("grace", ["0s", "300ms"])
def test_a_fork_bomb_is_held_by_its_limit_and_ends_with_the_revocation(
    rig: Rig, scheduler: Scheduler, grace: str
) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("bomb", revocable=True, command=BOMB, mem=128))
    (bomb,) = [pod for pod in rig.pods() if pod["name"] == "bomb"]
    pids = Path("/sys/fs/cgroup/pids") / bomb["cgroup"].lstrip("/")
    assert wait_for(lambda: count(pids / "pids.current") > PIDS_MAX // 2 or None, 20)
    assert count(pids / "pids.max") == PIDS_MAX
    before = regular(rig)
    receipt = rig.json("revoke", "--all", "--grace", grace)
    assert revived(rig, receipt, AFTERWARDS_S) == [] and alive(rig) == [] and receipt["state"] == "done"
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
    assert wait_for(lambda: True if not alive(rig) else None, 10)
    assert regular(rig) == before


# --- random scripts ------------------------------------------------------------------------------------------

GRACES = st.sampled_from(["0s", "100ms", "1s"])
NUMBERS = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(st.just("launch"), st.sampled_from(sorted(COMMANDS)), st.integers(1, 3)),
    st.tuples(st.just("kill"), NUMBERS, st.sampled_from([0.0, 0.2])),
    st.tuples(st.just("all"), st.none(), GRACES),
    st.tuples(st.just("task"), NUMBERS, GRACES),
    st.tuples(st.just("reclaim"), st.sampled_from([0.05, 0.1]), GRACES),
    st.tuples(st.just("containerd"), st.none(), st.sampled_from([0.1, 0.5])),
    st.tuples(st.just("pause"), st.none(), st.sampled_from([0.0, 0.05, 0.2])),
)
ENDS = ("TASK_KILLED", "TASK_GONE", "TASK_FAILED")


class Play:
    """Carries a script's steps out, none of them waited for."""

    def __init__(self, rig: Rig, scheduler: Scheduler, agent: str) -> None:
        self.tasks = list[str]()
        self.restarted = False
        self._rig, self._scheduler, self._agent = rig, scheduler, agent
        self._restarts = list[threading.Timer]()

    def step(self, kind: str, what: Any, how: Any) -> None:
        if kind == "launch":
            names = [f"t{len(self.tasks) + n}" for n in range(how)]
            pods = [self._rig.pod(name, revocable=True, cpus=0.05, command=COMMANDS[what]) for name in names]
            self._scheduler.launch(pods, self._rig.executor())
            self.tasks += names
        elif kind == "kill" and self.tasks:
            self._scheduler.kill(self.tasks[what % len(self.tasks)], grace_s=how)
        elif kind == "all":
            self._revoke({"select": {"all": True}}, how)
        elif kind == "task" and self.tasks:
            self._revoke({"select": {"tasks": [self.tasks[what % len(self.tasks)]]}}, how)
        elif kind == "reclaim":
            self._revoke({"reclaim": {"cpus": what}}, how)
        elif kind == "containerd" and not self.restarted:
            self._restart_containerd(how)
        elif kind == "pause":
            time.sleep(how)

    def _revoke(self, want: dict[str, Any], grace: str) -> None:
        self._scheduler.message(self._agent, "mixed", json.dumps({"revoke": {**want, "grace": grace}}).encode())

    def _restart_containerd(self, away_s: float) -> None:
        self.restarted = True
        self._rig.containerd.kill()
        self._restarts.append(threading.Timer(away_s, self._rig.containerd.start))
        self._restarts[-1].start()

    def settle(self) -> None:
        """What Mesos holds back yet is on its way: a task that is not here cannot be revoked."""
        for restart in self._restarts:
            restart.join()
        for task in self.tasks:
            self._scheduler.wait_status(task, ("TASK_STARTING", *ENDS), 30)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(script=st.lists(STEP, min_size=5, max_size=12))
def test_any_order_of_launches_kills_revocations_and_restarts(rig: Rig, script: list[tuple[str, Any, Any]]) -> None:
    with rig.scheduler(name="script") as scheduler:
        play = Play(rig, scheduler, run(rig, scheduler, rig.pod("web"), rig.pod("db")))
        before = regular(rig)
        for step in script:
            play.step(*step)
        play.settle()
        receipt = rig.json("revoke", "--all")
        assert revived(rig, receipt, AFTERWARDS_S) == [] and alive(rig) == []
        assert receipt["state"] == "done" and receipt["regular"]["unchanged"]
        expected = ENDS if play.restarted else ENDS[:2]  # a launch that meets the gap fails by itself
        for task in play.tasks:
            assert scheduler.wait_status(task, ENDS, 60).state in expected
            own = [status for status in scheduler.statuses(task) if status.source == "SOURCE_EXECUTOR"]
            ends = [status.state for status in own if status.state in ENDS]
            assert len(ends) <= 1, own  # the agent itself answers a KILL that meets a launch on its way
        assert regular(rig) == before
        for code in ("pod.illegal_transition", "pod.defect", "executor.defect", "revocation.regular_changed"):
            assert events(rig, code) == []
    assert not any((leaks := rig.wait_clean()).values()), leaks
