"""A victim that no signal can end: the others are free at once, it is told of, and only the configured last step is
taken.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.hung_fs import HungFs
from tests.support.mesos.cluster import node_cgroup
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, regular, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config={"REVOCATION_STUCK_AFTER_S": "3"}) as node:
        yield node


@pytest.fixture
def hung(rig: Rig) -> Iterator[HungFs]:
    with HungFs(rig.directory / f"hung-{time.monotonic_ns()}") as storage:
        yield storage


def on_hung_storage(storage: HungFs) -> dict[str, object]:
    """A pod spec whose container opens a file on storage that does not answer."""
    return {
        "volumes": [{"name": "v", "hostPath": {"path": str(storage.directory), "type": "Directory"}}],
        "containers": [
            {
                "name": "app",
                "image": "docker.io/library/busybox:test",
                "command": ["sh", "-c", "cat /data/file; sleep 1000"],
                "volumeMounts": [{"name": "v", "mountPath": "/data"}],
            }
        ],
    }


def sleeper(rig: Rig, name: str) -> psutil.Process:
    """The process of that pod that sleeps uninterruptibly."""

    def found() -> psutil.Process | None:
        (pod,) = [pod for pod in rig.pods() if pod["name"] == name]
        processes = [psutil.Process(pid) for pid, _ in rig.processes(pod)]
        return next((each for each in processes if each.name() == "cat"), None)

    process = wait_for(found, 10)
    assert process is not None
    return process


def _ms_of(rig: Rig, task: str) -> float:
    receipt = rig.json("report", "hung")["receipt"]
    return next(float(each["ms"]) for each in receipt["victims"] if each["tasks"] == [task])


def test_hung_storage_delays_nobody_else_and_is_reported(rig: Rig, scheduler: Scheduler, hung: HungFs) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("stuck", revocable=True, spec=on_hung_storage(hung)))
    run(rig, scheduler, *(rig.pod(f"fine{n}", revocable=True) for n in range(3)))
    victim, before, mark = sleeper(rig, "stuck"), regular(rig), scheduler.mark()
    begin = time.monotonic()
    rig.command("revoke", "--all", "--id", "hung", "--no-wait")
    for n in range(3):
        assert how(scheduler.wait_status(f"fine{n}", "TASK_GONE", 20, start=mark)) == PREEMPTED
    assert time.monotonic() - begin < 2.9, "before anybody is called stuck"
    early = json.loads(scheduler.wait_message())["revocation"]
    assert early["state"] == "running"
    assert sorted(each["outcome"] for each in early["victims"]) == ["dying", "killed", "killed", "killed"]
    late = json.loads(scheduler.wait_message(lambda data: b'"stuck"' in data and b'"dying"' not in data))["revocation"]
    assert late["state"] == "stuck" and victim.is_running()
    told = {each["tasks"][0]: each for each in late["victims"]}
    assert told["stuck"]["outcome"] == "stuck" and told["stuck"]["pids"] == [victim.pid]
    assert all(told[f"fine{n}"]["outcome"] == "killed" and told[f"fine{n}"]["ms"] < 1500 for n in range(3))
    assert "TASK_GONE" not in scheduler.states("stuck"), "what lives is not reported as gone"
    assert late["left"]["pods"] == 1 and late["freed"]["cpus"] == pytest.approx(0.3)
    assert regular(rig) == before
    assert [pod["stuck_pids"] for pod in rig.pods() if pod["name"] == "stuck"] == [[victim.pid]]
    first, second = (_ms_of(rig, "stuck") for _ in range(2))
    assert second > first >= 2000, "its time goes on"
    hung.release()
    assert how(scheduler.wait_status("stuck", "TASK_GONE", 20)) == PREEMPTED
    last = json.loads(scheduler.wait_message(lambda data: b'"state": "done"' in data))["revocation"]
    assert last["id"] == "hung" and {each["outcome"] for each in last["victims"]} == {"killed"}
    assert last["time_to_free_ms"] > second, "the real time"
    assert re.search(r"lived on for \d+\.\d s after SIGKILL", rig.command("why", "stuck").stdout)
    assert regular(rig) == before


def test_a_victim_that_is_frozen_elsewhere_again_and_again(rig: Rig, scheduler: Scheduler) -> None:
    """In a v1 freezer group of somebody else, where the executor does not thaw it."""
    run(rig, scheduler, rig.pod("web"), rig.pod("frozen", revocable=True, command=("sleep", "1000")))
    (pod,) = [pod for pod in rig.pods() if pod["name"] == "frozen"]
    pids = [pid for pid, _ in rig.processes(pod)]
    freezer = Path(f"/sys/fs/cgroup/freezer{node_cgroup()}-frozen")
    freezer.mkdir()
    try:
        for pid in pids:
            (freezer / "cgroup.procs").write_text(str(pid))
        (freezer / "freezer.state").write_text("FROZEN")
        receipt = json.loads(rig.command("revoke", "--all", "--json", check=False).stdout)
        assert receipt["state"] == "stuck" and all(psutil.pid_exists(pid) for pid in pids)
        assert receipt["victims"][0]["pids"] == pids
        (freezer / "freezer.state").write_text("THAWED")
        assert how(scheduler.wait_status("frozen", "TASK_GONE", 20)) == PREEMPTED
    finally:
        (freezer / "freezer.state").write_text("THAWED")
        assert wait_for(lambda: True if not (freezer / "cgroup.procs").read_text() else None, 10)
        freezer.rmdir()


TRACER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
SEIZE = 0x4206
if libc.ptrace(ctypes.c_long(SEIZE), ctypes.c_long(int(sys.argv[1])), None, None):
    sys.exit(f"cannot be traced: errno {ctypes.get_errno()}")
print("traced", flush=True)
sys.stdin.read()
"""
"""Takes no note of the end of what it traces, until its input ends."""


def test_a_first_process_that_waits_for_a_tracer_has_not_ended(rig: Rig, scheduler: Scheduler) -> None:
    """Its cgroup is empty, but it cannot end before everything in its pid namespace is reaped."""
    run(rig, scheduler, rig.pod("web"), rig.pod("fine", revocable=True))
    run(rig, scheduler, rig.pod("traced", revocable=True, command=("sh", "-c", "sleep 1000; exit 0")))
    (pod,) = [pod for pod in rig.pods() if pod["name"] == "traced"]
    first, before = pod["containers"][0]["pid"], regular(rig)
    (child,) = {pid for pid, _ in rig.processes(pod)} - {first}
    command = [sys.executable, "-c", TRACER, str(child)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tracer:
        assert tracer.stdin is not None and tracer.stdout is not None and tracer.stdout.readline() == b"traced\n"
        receipt = json.loads(rig.command("revoke", "--all", "--id", "traced", "--json", check=False).stdout)
        assert rig.processes(pod) == [] and psutil.pid_exists(first), "it has left its cgroup, and is there"
        assert receipt["state"] == "stuck"
        told = {each["tasks"][0]: each for each in receipt["victims"]}
        assert told["fine"]["outcome"] == "killed" and told["fine"]["ms"] < 1500
        assert told["traced"]["outcome"] == "stuck" and told["traced"]["pids"] == [first]
        assert "TASK_GONE" not in scheduler.states("traced")
        tracer.stdin.close()
    assert how(scheduler.wait_status("traced", "TASK_GONE", 20)) == PREEMPTED
    last = json.loads(scheduler.wait_message(lambda data: b'"state": "done"' in data and b'"traced"' in data))
    assert {each["outcome"] for each in last["revocation"]["victims"]} == {"killed"}
    assert wait_for(lambda: not psutil.pid_exists(first) or None, 5), "its parent takes its status a moment later"
    assert regular(rig) == before


def test_the_last_step_takes_the_task_first_and_only_then_the_executor() -> None:
    config = {"REVOCATION_STUCK_AFTER_S": "1", "REVOCATION_LAST_STEP": "shutdown"}
    with Rig(config=config) as rig, HungFs(rig.directory / "hung") as hung, rig.scheduler() as scheduler:
        run(rig, scheduler, rig.pod("web"), rig.pod("stuck", revocable=True, spec=on_hung_storage(hung)))
        sleeper(rig, "stuck")
        rig.command("revoke", "--all", check=False)
        ended = scheduler.wait_status("web", ("TASK_KILLED", "TASK_FAILED"), 30)
        events = [event["code"] for event in rig.journal("mixed", scheduler)]
        steps = [event["step"] for event in rig.journal("mixed", scheduler) if event["code"] == "revocation.step"]
        assert steps == ["proof", "kill", "dead", "insist"]
        assert events.index("revocation.stuck") < events.index("executor.stopping")
        assert ended.reason == "REASON_EXECUTOR_TERMINATED"
        hung.release()
