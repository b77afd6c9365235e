"""An executor that is killed leaves no secret of its pods behind, neither on a disk nor in memory of the node."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path

import pytest

from tests.crash.launching import collect, owner_files
from tests.crash.remains import remains
from tests.mesos.volume_pods import LOGIN, SECRET, container, task
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

WORDS = (SECRET.encode(), base64.b64encode(SECRET.encode()))
POD = {
    "terminationGracePeriodSeconds": 0,
    "containers": [
        container(
            "test -n $PASSWORD && test -s /keys/password && echo found",
            env=[{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}],
            volumeMounts=[{"name": "keys", "mountPath": "/keys"}],
        )
    ],
    "volumes": [{"name": "keys", "secret": {"secretName": "login"}}],
}


def holding(*places: Path) -> list[Path]:
    """Files below `places` that have the secret, on every mount. A network namespace has nothing to be read."""
    found = [path for place in places for path in place.rglob("*") if "netns" not in path.parts]
    files = [path for path in found if not path.is_symlink() and path.is_file()]
    return [path for path in files if any(word in path.read_bytes() for word in WORDS)]


def test_a_killed_executor_leaves_no_secret(rig: Rig) -> None:
    places = (rig.directory, rig.cluster.directory, rig.containerd.directory, rig.run_dir, Path("/run/containerd"))
    there, before = remains(rig), owner_files(rig)
    with rig.scheduler(name="secrets") as scheduler:
        scheduler.launch([task("holder", POD, LOGIN)], rig.executor("secrets"))
        scheduler.wait_status("holder", "TASK_RUNNING", 30)
        log = Path(rig.json("inspect", "holder")["containers"][0]["log"]["stdout"])
        assert wait_for(lambda: "found" in log.read_text(), 20)
        held = {path.relative_to(rig.run_dir).parts[3] for path in holding(rig.run_dir)}
        assert held == {"files", "private"}, "while it runs it is in memory, where this test finds it"
        (owner,) = owner_files(rig) - before
        os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
        scheduler.wait_status("holder", TERMINAL, 90)
        *_, left = collect(rig, there)
    assert not left
    assert holding(*(place for place in places if place.is_dir())) == []
