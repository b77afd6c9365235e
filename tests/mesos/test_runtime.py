"""[containerd] runtime: which program runs the containers of each class, on a real node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, regular, run
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program of revocable pods was called for, one line each."""
    return tmp_path_factory.mktemp("runtime") / "calls"


@pytest.fixture(scope="module")
def rig(calls: Path) -> Iterator[Rig]:
    program = calls.with_name("other runtime")
    program.write_text(f'#!/bin/sh\necho "$*" >>"{calls}"\nexec runc "$@"\n')
    program.chmod(0o755)
    with Rig(config={"CONTAINERD_RUNTIME_REVOCABLE": str(program)}) as node:
        yield node


def test_each_class_has_its_runtime(rig: Rig, scheduler: Scheduler, calls: Path) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    pods = {pod["name"]: pod["pod"] for pod in rig.pods()}
    called = calls.read_text()
    assert " create --bundle " in called and pods["batch"] in called and pods["web"] not in called
    assert rig.command("exec", "batch", "--", "echo", "inside").stdout == "inside\n"
    assert " exec --process " in calls.read_text()
    before = regular(rig)
    assert rig.json("revoke", "--all")["state"] == "done"
    assert how(scheduler.wait_status("batch", ("TASK_GONE", "TASK_LOST"))) == PREEMPTED
    assert regular(rig) == before


def test_doctor_names_a_runtime_that_is_not_there(rig: Rig) -> None:
    path = rig.write_config(CONTAINERD_RUNTIME="/no/such/runtime")
    done = rig.command("--config", str(path), "doctor", "--json", check=False)
    found = [each for each in json.loads(done.stdout)["checks"] if each["check"] == "containerd.runc"]
    assert [each["verdict"] for each in found] == ["fail", "pass"], found
    assert "/no/such/runtime" in found[0]["message"]
