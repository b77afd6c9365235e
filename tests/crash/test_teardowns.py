"""Tear-downs of a real executor while a shim hangs, or containerd is away for longer than a tear-down waits: nothing
else is held up, and nothing is left in the end.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, events, how, regular, run
from tests.support.rig import NETWORK, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

AWAY_S = 38.0
"""Longer than Patience.restart_s, and back before a second step of the same length would have been given up."""
TEARING_DOWN = ("tearing-down",)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Its network can map ports."""
    with Rig() as node:
        path = node.cni_config / "10-podnet.conf"
        chain = [json.loads(path.read_text()), {"type": "portmap", "capabilities": {"portMappings": True}}]
        path.unlink()
        document = {"cniVersion": "0.3.1", "name": NETWORK, "plugins": chain}
        path.with_suffix(".conflist").write_text(json.dumps(document))
        yield node


def shim_of(rig: Rig, name: str) -> psutil.Process:
    pid = next(pod for pod in rig.pods() if pod["name"] == name)["containers"][0]["pid"]
    shim = psutil.Process(pid).parent()
    assert shim is not None and shim.pid in rig.containerd.shims()
    return shim


def pods(rig: Rig, *states: str) -> list[str]:
    return sorted(pod["name"] for pod in rig.pods() if pod["state"] in states)


def shims_of(rig: Rig, pid: int) -> list[int]:
    return [each for each in rig.containerd.shims() if each != pid]


def test_a_shim_that_hangs_holds_up_nobody_else(rig: Rig, scheduler: Scheduler) -> None:
    names = [f"b{n}" for n in range(6)]
    run(rig, scheduler, rig.pod("web"), *(rig.pod(name, revocable=True) for name in names))
    before, web, hung = regular(rig), shim_of(rig, "web"), shim_of(rig, "b0")
    hung.suspend()
    begin = time.monotonic()
    receipt = rig.json("revoke", "--all", "--id", "hung")
    assert receipt["state"] == "done" and receipt["left"]["pods"] == 0
    for name in names:
        assert how(scheduler.wait_status(name, "TASK_GONE", 20)) == PREEMPTED
    assert wait_for(lambda: True if pods(rig, "tearing-down") in (["b0"], []) else None, 15), pods(rig, *TEARING_DOWN)
    print(f"everything else was released after {time.monotonic() - begin:.1f} s")
    assert time.monotonic() - begin < 15
    assert wait_for(lambda: True if shims_of(rig, web.pid) == [] else None, 30), "and then the shim itself"
    print(f"the shim was ended after {time.monotonic() - begin:.1f} s")
    assert events(rig, "pod.shim_killed")[-1]["pid"] == hung.pid
    assert regular(rig) == before and web.is_running()


def test_a_container_that_ends_while_its_shim_hangs(rig: Rig, scheduler: Scheduler) -> None:
    """containerd does not hear of it, and Mesos must all the same."""
    ends = ("sh", "-c", "trap 'exit 3' TERM; sleep 1000 & wait")
    run(rig, scheduler, rig.pod("web"), rig.pod("ends", command=ends))
    web, hung = shim_of(rig, "web"), shim_of(rig, "ends")
    first = next(pod for pod in rig.pods() if pod["name"] == "ends")["containers"][0]["pid"]
    hung.suspend()
    os.kill(first, signal.SIGTERM)
    status = scheduler.wait_status("ends", "TASK_FAILED", 20)
    assert "exited with status 3" in status.message
    assert wait_for(lambda: True if shims_of(rig, web.pid) == [] else None, 30)


def test_a_containerd_that_is_away_in_a_tear_down(rig: Rig, scheduler: Scheduler) -> None:
    port = {"ports": [{"containerPort": 80, "hostPort": 31000}]}  # the first one that is offered
    run(rig, scheduler, rig.pod("db", ports=1, container=port))
    run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True) for n in range(3)))
    before, web = regular(rig), shim_of(rig, "web")
    del before["db"]
    rig.containerd.stop()
    try:
        stopped = time.monotonic()
        assert rig.json("revoke", "--all", "--id", "away")["state"] == "done"
        scheduler.kill("db")
        for n in range(3):
            assert how(scheduler.wait_status(f"b{n}", "TASK_GONE", 20)) == PREEMPTED
        assert scheduler.wait_status("db", "TASK_KILLED", 15).source == "SOURCE_EXECUTOR", "its port is free"
        assert rig.json("ps")["pods"] and pods(rig, "tearing-down") == ["b0", "b1", "b2", "db"]
        assert wait_for(lambda: events(rig, "pod.leaked") or None, AWAY_S)
        time.sleep(max(0.0, AWAY_S - time.monotonic() + stopped))
    finally:
        rig.containerd.start()
    told = wait_for(lambda: found if len(found := events(rig, "pod.released")) == 4 else None, 45)
    assert told, [(each["what"], each["error"]) for each in events(rig, "pod.leaked")]
    assert shims_of(rig, web.pid) == [] and regular(rig) == before
    assert {each["what"] for each in events(rig, "pod.leaked")} <= {"task"}, "and the rest was not tried before it"
    assert all(each["where"] and each["since"] for each in events(rig, "pod.leaked"))


def test_a_containerd_that_hangs_in_a_tear_down(rig: Rig, scheduler: Scheduler) -> None:
    """It takes calls and does not answer."""
    run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True) for n in range(3)))
    before, web = regular(rig), shim_of(rig, "web")
    os.kill(rig.containerd.pid, signal.SIGSTOP)
    try:
        assert rig.json("revoke", "--all", "--id", "hangs")["state"] == "done"
        time.sleep(12)
    finally:
        os.kill(rig.containerd.pid, signal.SIGCONT)
    assert wait_for(lambda: True if shims_of(rig, web.pid) == [] else None, 30)
    assert regular(rig) == before and events(rig, "pod.shim_killed")[:-1] == []
