"""`gc` on a real node: what a killed executor left is released, with nobody's help; what is others' is left alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import IMAGE, NETWORK, OPTIONS, SLEEP, Rig, end_watcher, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS = 3
MESOS_TASK = "f3b1c0de-1111-2222-3333-444455556666"
LOST_POD = "pod-0123456789ab"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """With the posix launcher nobody ends the pods of an executor that died."""
    with Rig(replace(OPTIONS, launcher="posix")) as node:
        yield node


def mapped(rig: Rig, name: str, port: int) -> dict[str, Any]:
    """A pod that has a port of the node, by rules."""
    task = rig.pod(name, container={"ports": [{"containerPort": 80, "hostPort": port}]})
    return task | {"resources": [*task["resources"], messages.ranges("ports", (port, port))]}


@pytest.fixture
def orphans(rig: Rig) -> Iterator[list[int]]:
    """The processes of pods whose executor was killed."""
    with rig.scheduler(name="gc") as scheduler:
        names = [f"orphan{n}" for n in range(PODS)]
        scheduler.launch([mapped(rig, name, 31000 + n) for n, name in enumerate(names)], rig.executor())
        for name in names:
            scheduler.wait_status(name, "TASK_RUNNING", 30)
        pids = [pid for pod in rig.pods() for pid, _ in rig.processes(pod)]
        (owner,) = rig.run_dir.glob("*.owner")
        pid = int(json.loads(owner.read_text())["pid"])
        end_watcher(pid)
        os.kill(pid, signal.SIGKILL)
        for name in names:
            scheduler.wait_status(name, TERMINAL, 20)
        yield pids


def reserve(rig: Rig, address: str, container: str) -> Path:
    """An address in the ledger of the shared network, as host-local writes it down."""
    path = rig.directory / "ipam" / NETWORK / address
    path.write_text(f"{container}\r\neth0")
    return path


@pytest.fixture
def others_rule() -> Iterator[list[str]]:
    """A rule as the plugins of a Mesos task make it. All such rules are removed in the end, those of pods too."""

    def iptables(*words: str) -> str:
        return subprocess.run(["iptables", "-t", "nat", *words], check=True, capture_output=True, text=True).stdout

    rule = ["POSTROUTING", "-m", "comment", "--comment", f'name: "{NETWORK}" id: "{MESOS_TASK}"', "-j", "RETURN"]
    iptables("-A", *rule)
    yield rule
    iptables("-C", *rule)
    iptables("-D", *rule)


def rule_owners() -> set[str]:
    saved = subprocess.run(["iptables-save", "-t", "nat"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r'id: \\"([^"\\]+)', saved))


@pytest.fixture
def edited(rig: Rig, orphans: list[int]) -> Iterator[None]:
    """The network is another one than when the pods were attached."""
    path = rig.cni_config / "10-podnet.conf"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"type": "ptp", "bridge": "mpe5"}))
    yield
    path.write_text(before)


def test_gc_releases_all_of_a_killed_executor_and_nothing_else(
    rig: Rig, orphans: list[int], others_rule: list[str], edited: None
) -> None:
    left = rig.leaks()
    assert len(rule_owners()) == PODS + 1
    assert left["containers"] == left["snapshots"] == left["netns"] == left["ips"] == PODS
    foreign = [reserve(rig, "10.89.200.1", MESOS_TASK), reserve(rig, "10.89.200.2", LOST_POD)]
    dry = rig.json("gc", "--dry-run")
    assert all(psutil.pid_exists(pid) for pid in orphans)
    assert rig.leaks() == left | {"ips": PODS + 2}, "a dry run changes nothing"
    (dead,) = dry["executors"]
    assert f"of 1 dead executors ({dead}); 0 live" in rig.command("gc", "--dry-run").stdout
    unknown = rig.command("gc", "--only", "typo", check=False)
    assert unknown.returncode == 3 and "executor typo" in unknown.stderr and dead in unknown.stderr
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
    assert rule_owners() == {MESOS_TASK}
    for path in foreign:
        path.unlink()
    again = rig.command("gc")
    assert rig.command("gc", "--only", dead).returncode == 0, "it was released just now"
    assert again.stdout == "released nothing of 0 dead executors; 0 live\n" and again.stderr == ""


def test_what_cannot_be_released_holds_up_nothing_else(rig: Rig, orphans: list[int]) -> None:
    """It stays as it is, namespace and all, for the next try."""
    record, *_ = sorted((rig.directory / "state/cni").glob("*/pod-*/eth0.json"))
    sound = record.read_text()
    record.write_text("{")
    done = rig.command("gc", "--json", check=False)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["released"]["attachments"] == document["released"]["namespaces"] == PODS - 1
    assert any(str(record) in text for text in document["failed"])
    left = rig.leaks()
    assert (left["ips"], left["netns"], left["containers"]) == (1, 1, 0)
    record.write_text(sound)
    again = rig.json("gc")
    assert (again["released"], again["failed"]) == ({"attachments": 1, "namespaces": 1}, [])
    assert not any(rig.leaks().values()) and rule_owners() == set()


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


def test_gc_beside_pods_that_come_and_go(rig: Rig) -> None:
    """Two at a time, again and again: no pod is touched, and nothing of a pod that is being released is reported."""
    answers, rounds = list[dict[str, Any]](), 6
    with rig.scheduler(name="busy") as scheduler, ThreadPoolExecutor(2) as threads:
        ending = threading.Event()

        def collect() -> None:
            while not ending.is_set():
                answers.append(rig.json("gc"))

        collectors = [threads.submit(collect) for _ in range(2)]
        try:
            scheduler.launch([rig.pod("stays")], rig.executor())
            for number in range(rounds):
                names = [f"{number}-{n}" for n in range(8)]
                pods = [rig.pod(name, command=("sleep", "0.2"), revocable=bool(n % 2)) for n, name in enumerate(names)]
                scheduler.launch(pods, rig.executor())
                for name in names:
                    scheduler.wait_status(name, "TASK_FINISHED", 60)
            assert scheduler.states("stays")[-1] == "TASK_RUNNING"
        finally:
            ending.set()
        for each in collectors:
            each.result()
    assert len(answers) > rounds
    told = [answer for answer in answers if answer["released"] or answer["failed"] or answer["reported"]]
    assert not told, told
    assert not any((left := rig.wait_clean()).values()), left


def test_without_containerd_it_fails_in_one_line(rig: Rig) -> None:
    rig.containerd.kill()
    try:
        done = rig.command("gc", check=False)
    finally:
        rig.containerd.start()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "containerd" in done.stderr


def test_what_containers_of_a_dead_pod_shared_is_released(rig: Rig) -> None:
    """The mounts of their IPC namespace and of /dev/shm, and process 1 of their PID namespace."""
    containers = [{"name": name, "image": IMAGE, "command": list(SLEEP)} for name in ("one", "two")]
    spec = {"shareProcessNamespace": True, "containers": containers}
    with rig.scheduler(name="shared") as scheduler:
        scheduler.launch([rig.pod("shared", spec=spec, mem=64)], rig.executor())
        scheduler.wait_status("shared", "TASK_RUNNING", 30)
        (pod,) = rig.pods()
        keepers = [pid for pid, _ in rig.processes(pod) if psutil.Process(pid).name() == "pod-pids"]
        volumes = rig.run_dir / "volumes"
        assert len(keepers) == 1 and shared_mounts(volumes) == {"ipc", "shm"}
        (owner,) = rig.run_dir.glob("*.owner")
        pid = int(json.loads(owner.read_text())["pid"])
        end_watcher(pid)
        os.kill(pid, signal.SIGKILL)
        scheduler.wait_status("shared", TERMINAL, 20)
        assert shared_mounts(volumes) == {"ipc", "shm"}
        rig.command("gc")
        assert shared_mounts(volumes) == set()
        assert wait_for(lambda: not psutil.pid_exists(keepers[0]) or None, 5)
    assert not any(rig.wait_clean().values())


def shared_mounts(directory: Path) -> set[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {Path(point).name for point in points if point.startswith(f"{directory}/")}
