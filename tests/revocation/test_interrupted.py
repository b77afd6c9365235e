"""What else happens to a node in the middle of a revocation: clocks, disks and descriptors fail, programs die and come
back. What was borrowed is free all the same, nothing regular is touched, and what is told of it is true.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, STUBBORN, alive, events, how, regular, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

ENDS_WHEN_ASKED = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")


def executor_pid(rig: Rig) -> int:
    (owner,) = rig.run_dir.glob("*.owner")
    return int(json.loads(owner.read_text())["pid"])


def begin(rig: Rig, scheduler: Scheduler, task: str, identity: str, grace: str) -> tuple[str, ...]:
    """A revocation of all that is within its grace now. The same words again wait for its receipt."""
    words = ("revoke", "--all", "--id", identity, "--grace", grace)
    rig.command(*words, "--no-wait")
    scheduler.wait_status(task, "TASK_KILLING", 20)
    return words


def first_process(rig: Rig, name: str) -> int:
    return int(next(pod for pod in rig.pods() if pod["name"] == name)["containers"][0]["pid"])


# --- what is said of the regular pods ------------------------------------------------------------------------


@contextlib.contextmanager
def clock_set_by(rig: Rig, seconds: int) -> Iterator[None]:
    """What the kernel says of its boot after somebody has set the clock."""
    doctored = rig.directory / "stat"
    doctored.write_text(
        re.sub(r"btime (\d+)", lambda match: f"btime {int(match[1]) + seconds}", Path("/proc/stat").read_text())
    )
    subprocess.run(["mount", "--bind", doctored, "/proc/stat"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "/proc/stat"], check=True)


def test_a_clock_that_is_set_meanwhile_changes_no_regular_pod(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True, command=STUBBORN))
    before = regular(rig)
    words = begin(rig, scheduler, "batch", "clock", "1s")
    with clock_set_by(rig, 3600):
        scheduler.wait_status("batch", "TASK_GONE", 20)
        told = rig.json(*words)
    assert told["regular"]["unchanged"] and told["regular"]["ended_meanwhile"] == []
    assert regular(rig) == before and events(rig, "revocation.regular_changed") == []


def test_the_end_of_a_regular_pod_that_containerd_has_not_told_of_yet(rig: Rig, scheduler: Scheduler) -> None:
    """It ends by itself just before the comparison: nobody is to be woken for that."""
    run(rig, scheduler, rig.pod("web"), rig.pod("short"), rig.pod("batch", revocable=True, command=STUBBORN))
    pid = first_process(rig, "short")
    words = begin(rig, scheduler, "batch", "late", "700ms")
    os.kill(rig.containerd.pid, signal.SIGSTOP)
    resume = threading.Timer(1.5, os.kill, (rig.containerd.pid, signal.SIGCONT))
    resume.start()
    os.kill(pid, signal.SIGTERM)
    told = rig.json(*words)
    resume.join()
    assert told["regular"]["unchanged"] and pid in told["regular"]["ended_meanwhile"]
    assert scheduler.wait_status("short", TERMINAL, 20).state == "TASK_FINISHED"
    assert events(rig, "revocation.regular_changed") == []


def test_regular_pods_that_come_and_go_all_the_time(rig: Rig, scheduler: Scheduler) -> None:
    """Some end as soon as they start, some cannot even be started."""
    run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True) for n in range(8)))
    short = [
        rig.pod(f"short{n}", cpus=0.05, command=("sh", "-c", f"sleep 0.0{n % 5}; exit {n % 2}")) for n in range(10)
    ]
    wrong = [rig.pod(f"wrong{n}", cpus=0.05, command=("/no/such/program",)) for n in range(5)]
    scheduler.launch([*short, *wrong], rig.executor())
    scheduler.wait_status("short0", "TASK_STARTING", 20)
    receipts = [rig.json("revoke", "--task", f"b{n}") for n in range(8)]
    for task in (*short, *wrong):
        scheduler.wait_status(task["name"], ("TASK_FINISHED", "TASK_FAILED"), 30)
    print([(each["regular"]["pods"], each["regular"]["ended_meanwhile"]) for each in receipts])
    assert [each["regular"]["changed"] for each in receipts if each["regular"]["changed"]] == []
    assert max(each["regular"]["pods"] for each in receipts) > 1, "they met"


def test_a_regular_pod_that_is_killed_meanwhile_is_an_alarm(rig: Rig, scheduler: Scheduler) -> None:
    """Nobody knows by whom, so it may have been by the revocation."""
    run(rig, scheduler, rig.pod("web"), rig.pod("db"), rig.pod("batch", revocable=True, command=STUBBORN))
    pid = first_process(rig, "web")
    words = begin(rig, scheduler, "batch", "struck", "500ms")
    os.kill(pid, signal.SIGKILL)
    (alarm,) = wait_for(lambda: events(rig, "revocation.regular_changed") or None, 20) or [{}]
    assert f"lost {pid}" in alarm["error"] and alarm["level"] == "error"
    done = rig.command(*words, check=False)
    assert done.returncode == 1 and "CHANGED" in done.stdout and "2 of this executor, CHANGED" in done.stdout


# --- what fails ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def without_descriptors(pid: int) -> Iterator[None]:
    """Every open fails; what is open works."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_a_proof_that_cannot_be_made_is_refused_and_asked_for_again(rig: Rig, scheduler: Scheduler) -> None:
    agent = run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    before, pid = regular(rig), executor_pid(rig)
    request = {"revoke": {"id": "poor", "select": {"all": True}}}
    with without_descriptors(pid):
        scheduler.message(agent, "mixed", json.dumps(request).encode())
        time.sleep(1)
    refused = json.loads(scheduler.wait_message(timeout_s=20))["error"]
    assert refused["id"] == "poor" and "the proof cannot be made" in refused["message"] and refused["hint"]
    assert "batch" in {pod["name"] for pod in rig.pods()} and regular(rig) == before
    assert rig.json("revoke", "--all", "--id", "poor")["state"] == "done" and regular(rig) == before


def test_a_kill_without_descriptors_is_tried_until_it_succeeds(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True, command=STUBBORN) for n in range(3)))
    before, pid = regular(rig), executor_pid(rig)
    words = begin(rig, scheduler, "b0", "poor", "1s")
    with without_descriptors(pid):
        time.sleep(2)
        assert alive(rig), "nothing could be killed"
    for n in range(3):
        assert how(scheduler.wait_status(f"b{n}", "TASK_GONE", 20)) == PREEMPTED
    assert alive(rig) == [] and regular(rig) == before
    told = rig.json(*words)
    assert told["state"] == "done" and told["regular"]["unchanged"] and events(rig, "executor.defect") == []


def test_a_full_disk_costs_the_notice_and_not_the_revocation(rig: Rig) -> None:
    with rig.scheduler(name="full") as scheduler:
        sandboxes = rig.agent.work_dir / f"agents/0/work/slaves/{rig.agent.agent_id}/frameworks"
        home = sandboxes / scheduler.framework_id / "executors/mixed"
        home.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "full", home], check=True)
        try:
            run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True, command=STUBBORN))
            before = regular(rig)
            with contextlib.suppress(OSError), (home / "filler").open("wb", buffering=0) as filler:
                while filler.write(bytes(4096)):
                    pass
            told = rig.json("revoke", "--all", "--grace", "500ms", "--reason", "x" * 1000, "--id", "full")
            assert told["state"] == "done" and not told["victims"][0]["notified"] and told["regular"]["unchanged"]
            assert how(scheduler.wait_status("batch", "TASK_GONE", 20)) == PREEMPTED
            assert regular(rig) == before
            assert events(rig, "revocation.notice_failed") and events(rig, "journal.write_failed")
            assert events(rig, "revocation.receipt")[-1]["revocation"] == "full", "in memory at least"
        finally:
            subprocess.run(["umount", "--lazy", home], check=True)
    assert not any((leaks := rig.wait_clean()).values()), leaks


# --- who dies, and who else is there -------------------------------------------------------------------------


def test_an_agent_that_is_away_hears_of_it_when_it_is_back(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True, command=STUBBORN) for n in range(3)))
    before = regular(rig)
    words = begin(rig, scheduler, "b0", "away", "1s")
    rig.agent.kill()
    begun = time.monotonic()
    assert wait_for(lambda: True if not alive(rig) else None, 10), "the agent is not needed to take back"
    assert rig.json(*words)["state"] == "done"
    rig.agent.start()
    assert time.monotonic() - begun < 60
    for n in range(3):
        status = scheduler.wait_status(f"b{n}", TERMINAL, 30)
        assert how(status) == PREEMPTED
        uuids = {each.raw["uuid"] for each in scheduler.statuses(f"b{n}") if each.state == "TASK_GONE"}
        assert len(uuids) == 1, "Mesos may deliver one twice, but it is one"
        assert {"key": "revocation", "value": "away"} in status.raw["labels"]["labels"]
    assert regular(rig) == before and set(scheduler.states("web")).isdisjoint(TERMINAL)


def test_an_executor_that_is_killed_takes_the_victims_with_it(rig: Rig) -> None:
    """Nobody is left to kill at the end of the grace, so nothing may live until then."""
    with rig.scheduler(name="dies") as scheduler:
        run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True, command=STUBBORN) for n in range(3)))
        pids = [pid for pod in rig.pods() for pid, _ in rig.processes(pod)]
        pid = executor_pid(rig)
        begin(rig, scheduler, "b0", "dies", "1h")
        os.kill(pid, signal.SIGKILL)
        for task in ("web", "b0", "b1", "b2"):
            assert scheduler.wait_status(task, TERMINAL, 20).reason == "REASON_EXECUTOR_TERMINATED"
        assert wait_for(lambda: True if not any(map(psutil.pid_exists, pids)) else None, 10)
        scheduler.launch([rig.pod("next")], rig.executor("next"))
        scheduler.wait_status("next", "TASK_RUNNING", 30)
    assert not any((leaks := rig.wait_clean()).values()), leaks


def done(scheduler: Scheduler, executor: str) -> dict[str, Any]:
    """The last receipt that this executor sent."""

    def last() -> dict[str, Any] | None:
        found = [json.loads(data)["revocation"] for data in scheduler.messages(executor)]
        return next((each for each in found if each["state"] == "done"), None)

    return scheduler.wait(last, 20, lambda: f"no receipt of {executor}")


def test_two_executors_on_one_node_revoke_at_once(rig: Rig) -> None:
    with rig.scheduler(name="two") as scheduler:
        for executor in ("one", "two"):
            pods = [rig.pod(f"{executor}-b{n}", revocable=True, command=STUBBORN) for n in range(6)]
            agent = scheduler.launch([rig.pod(f"{executor}-web"), *pods], rig.executor(executor))
            for task in pods:
                scheduler.wait_status(task["name"], "TASK_RUNNING", 60)
        before = regular(rig)
        request = json.dumps({"revoke": {"id": "same", "select": {"all": True}}}).encode()
        for executor in ("one", "two"):
            scheduler.message(agent, executor, request)
        for executor in ("one", "two"):
            told = done(scheduler, executor)
            tasks = {task for victim in told["victims"] for task in victim["tasks"]}
            assert told["state"] == "done" and tasks == {f"{executor}-b{n}" for n in range(6)}
            assert told["regular"]["pods"] == 1 and told["regular"]["unchanged"]
            assert told["left"]["pods"] == 0
        assert regular(rig) == before and alive(rig) == []
    assert not any((leaks := rig.wait_clean()).values()), leaks
