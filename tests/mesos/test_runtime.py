"""What a node gives each class of its own: the program that runs containers, CPUs, and limits on disks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, regular, run
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

DISKS = [path for path in (Path("/dev", each.name) for each in sorted(Path("/sys/block").glob("*"))) if path.exists()]
BLKIO = Path("/sys/fs/cgroup/blkio")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program of revocable pods was called for, one line each."""
    return tmp_path_factory.mktemp("runtime") / "calls"


@pytest.fixture(scope="module")
def rig(calls: Path) -> Iterator[Rig]:
    program = calls.with_name("other-runtime")
    program.write_text(f'#!/bin/sh\necho "$*" >>"{calls}"\nexec runc "$@"\n')
    program.chmod(0o755)
    config = {"CONTAINERD_RUNTIME_REVOCABLE": str(program), "CGROUPS_REVOCABLE_CPUS": "0"}
    if DISKS:
        config["CGROUPS_REVOCABLE_IO_MAX"] = f"{DISKS[0]} rbps=20Mi wiops=100"
    with Rig(config=config) as node:
        yield node


def limit_of(pod: Mapping[str, Any], file: str) -> str:
    """v1 has no limit for a group and those below it together: each container has the whole limit."""
    return Path(BLKIO, str(pod["cgroup"]).lstrip("/"), "app", f"blkio.{file}").read_text().strip()


def test_each_class_has_its_runtime(rig: Rig, scheduler: Scheduler, calls: Path) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    found = {pod["name"]: pod for pod in rig.pods()}
    pods = {name: pod["pod"] for name, pod in found.items()}
    only_0 = {name: os.sched_getaffinity(pod["containers"][0]["pid"]) == {0} for name, pod in found.items()}
    assert only_0 == {"web": os.cpu_count() == 1, "batch": True}
    if DISKS and BLKIO.exists():
        limits = {name: limit_of(pod, "throttle.read_bps_device") for name, pod in found.items()}
        assert limits["web"] == "" and limits["batch"].endswith(f" {20 << 20}")
        assert limit_of(found["batch"], "throttle.write_iops_device").endswith(" 100")
    called = calls.read_text()
    assert " create --bundle " in called and pods["batch"] in called and pods["web"] not in called
    assert rig.command("exec", "batch", "--", "echo", "inside").stdout == "inside\n"
    assert " exec --process " in calls.read_text()
    before = regular(rig)
    assert rig.json("revoke", "--all")["state"] == "done"
    assert how(scheduler.wait_status("batch", ("TASK_GONE", "TASK_LOST"))) == PREEMPTED
    assert regular(rig) == before


OPENED = 'for n in /made* /dev/null; do (exec 3<>"$n") 2>/dev/null && echo "opened $n"; done; true'


def test_no_container_opens_the_nodes_console_or_tun(rig: Rig, scheduler: Scheduler) -> None:
    """crun allows both (tests/run integration --runtime crun), runc the second, and root may make nodes of them."""
    made = f"mknod /made1 c 5 1; mknod /made2 c 10 200; {OPENED}"
    first = {"initContainers": [{"name": "first", "image": IMAGE, "command": ["sh", "-c", made]}]}
    main = f"{made}; exec sleep 1000"
    run(rig, scheduler, rig.pod("closed", command=("sh", "-c", main), spec=first))
    logs = {each["name"]: Path(each["log"]["stdout"]) for each in rig.json("inspect", "closed")["containers"]}
    assert wait_for(lambda: "/dev/null" in logs["app"].read_text() or None, 20)
    assert {name: log.read_text() for name, log in logs.items()} == dict.fromkeys(logs, "opened /dev/null\n")
    assert set(logs) == {"first", "app"}
    assert rig.command("exec", "closed", "--", "sh", "-c", OPENED).stdout == "opened /dev/null\n"


def test_doctor_names_a_runtime_that_is_not_there(rig: Rig) -> None:
    path = rig.write_config(CONTAINERD_RUNTIME="/no/such/runtime")
    done = rig.command("--config", str(path), "doctor", "--json", check=False)
    found = [each for each in json.loads(done.stdout)["checks"] if each["check"] == "containerd.runc"]
    assert [each["verdict"] for each in found] == ["fail", "pass"], found
    assert "/no/such/runtime" in found[0]["message"]
