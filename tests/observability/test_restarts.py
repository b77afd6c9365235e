"""A container that crashes again and again, on the real runtime: each run is told apart, and followed over its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

CRASH = (
    'n=$(cat /v/n 2>/dev/null || echo 0); echo $((n + 1)) > /v/n; echo "run $n"; echo "FATAL $n" >&2; sleep 1; exit 3'
)
VOLUME: dict[str, Any] = {
    "spec": {"restartPolicy": "Always", "volumes": [{"name": "v", "emptyDir": {}}]},
    "container": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler() as framework:
        framework.launch([rig.pod("crash", command=("sh", "-c", CRASH), **VOLUME)], rig.executor())
        framework.wait_status("crash", "TASK_RUNNING", 30)
        yield framework


def restarts(rig: Rig) -> int:
    (found,) = rig.json("ps")["pods"]
    return int(found["containers"][0]["restarts"])


def test_a_follower_goes_on_over_a_restart(rig: Rig, scheduler: Scheduler) -> None:
    del scheduler
    line = [*rig.program, "logs", "crash", "-f", "--stream", "stdout"]
    environment = {**os.environ, **rig.environment()}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert [follower.stdout.readline() for _ in range(2)] == ["run 0\n", "run 1\n"]
        follower.send_signal(signal.SIGINT)
    assert wait_for(lambda: restarts(rig) or None, 30)


def test_each_run_is_told_apart(rig: Rig, scheduler: Scheduler) -> None:
    del scheduler
    assert wait_for(lambda: "run 1" in rig.command("logs", "crash").stdout or None, 30)
    runs = rig.command("logs", "crash").stdout.splitlines()
    done = rig.command("logs", "crash", "--previous")
    assert done.stdout == f"{runs[-2]}\n" and done.stderr == f"FATAL {runs[-2].split()[-1]}\n"
    first, *_ = rig.command("logs", "crash", "-t", "--stream", "stdout").stdout.splitlines()
    at, text = first.split(" ", 1)
    assert text == "run 0"
    assert rig.command("logs", "crash", "--until", at, "--stream", "stdout").stdout.startswith("run 0\n")
    assert rig.command("logs", "crash", "--since", "1h", "--stream", "stdout").stdout.startswith("run 0\n")


def test_what_it_wrote_outlives_its_executor(rig: Rig, scheduler: Scheduler) -> None:
    (known,) = rig.json("ps")["pods"]
    (owner,) = rig.run_dir.glob("*.owner")
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    scheduler.wait_status("crash", ("TASK_FAILED", "TASK_LOST", "TASK_GONE"), 30)
    rig.wait_clean()
    (found,) = rig.json("ps", "-a")["pods"]
    assert (found["pod"], found["state"]) == (known["pod"], "lost")
    assert rig.command("logs", "crash").stdout.startswith("run 0\n")
    assert "lost with its executor" in rig.command("why", "crash").stdout
