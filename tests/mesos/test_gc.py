"""`gc` on a real node: what a killed executor left is released, with nobody's help; what is others' is left alone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.support.mesos.messages import TERMINAL
from tests.support.rig import NETWORK, OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS = 3
MESOS_TASK = "f3b1c0de-1111-2222-3333-444455556666"
LOST_POD = "pod-0123456789ab"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """With the posix launcher nobody ends the pods of an executor that died."""
    with Rig(replace(OPTIONS, launcher="posix")) as node:
        yield node


@pytest.fixture
def orphans(rig: Rig) -> Iterator[list[int]]:
    """The processes of pods whose executor was killed."""
    with rig.scheduler(name="gc") as scheduler:
        names = [f"orphan{n}" for n in range(PODS)]
        scheduler.launch([rig.pod(name) for name in names], rig.executor())
        for name in names:
            scheduler.wait_status(name, "TASK_RUNNING", 30)
        pids = [pid for pod in rig.pods() for pid, _ in rig.processes(pod)]
        (owner,) = rig.run_dir.glob("*.owner")
        os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
        for name in names:
            scheduler.wait_status(name, TERMINAL, 20)
        yield pids


def reserve(rig: Rig, address: str, container: str) -> Path:
    """An address in the ledger of the shared network, as host-local writes it down."""
    path = rig.directory / "ipam" / NETWORK / address
    path.write_text(f"{container}\r\neth0")
    return path


def test_gc_releases_all_of_a_killed_executor_and_nothing_else(rig: Rig, orphans: list[int]) -> None:
    left = rig.leaks()
    assert left["containers"] == left["snapshots"] == left["netns"] == left["ips"] == PODS
    foreign = [reserve(rig, "10.89.200.1", MESOS_TASK), reserve(rig, "10.89.200.2", LOST_POD)]
    dry = rig.json("gc", "--dry-run")
    assert all(psutil.pid_exists(pid) for pid in orphans)
    assert rig.leaks() == left | {"ips": PODS + 2}, "a dry run changes nothing"
    done = rig.json("gc")
    assert done["executors"] == dry["executors"] and len(done["executors"]) == 1
    assert done["released"] == dry["released"]
    assert {
        kind: done["released"][kind] for kind in ("containers", "snapshots", "attachments", "namespaces")
    } == dict.fromkeys(("containers", "snapshots", "attachments", "namespaces"), PODS)
    assert done["failed"] == []
    assert wait_for(lambda: True if not any(map(psutil.pid_exists, orphans)) else None, 10)
    assert all(path.exists() for path in foreign), "nobody proved whose they are"
    assert [(each["address"], each["container"]) for each in done["reported"]] == [("10.89.200.2", LOST_POD)]
    assert done["foreign_addresses"] == 1
    assert rig.leaks() == dict.fromkeys(left, 0) | {"ips": 2}
    for path in foreign:
        path.unlink()
    again = rig.command("gc")
    assert again.stdout == "released nothing of 0 dead executors; 0 live\n" and again.stderr == ""


def test_gc_leaves_a_living_executor_alone(rig: Rig) -> None:
    with rig.scheduler(name="living") as scheduler:
        scheduler.launch([rig.pod("alive")], rig.executor())
        scheduler.wait_status("alive", "TASK_RUNNING", 30)
        (pod,) = rig.pods()
        before, leaks = rig.processes(pod), rig.leaks()
        done = rig.json("gc")
        assert (done["executors"], done["released"], len(done["living"])) == ([], {}, 1)
        assert (rig.processes(pod), rig.leaks()) == (before, leaks)
    assert not any((left := rig.wait_clean()).values()), left


def test_without_containerd_it_fails_in_one_line(rig: Rig) -> None:
    rig.containerd.kill()
    try:
        done = rig.command("gc", check=False)
    finally:
        rig.containerd.start()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "containerd" in done.stderr
