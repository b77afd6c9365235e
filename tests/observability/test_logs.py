"""A container that writes more than its log may hold, on the real shim: bounded, complete, followed without a gap."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMIT_BYTES = 1 << 20
FILES = 3
OWN_BYTES = 4096
BATCH = 60_000
BATCHES = 10
BURST = 1_200_000
"""Lines: a batch has some 0.7 MB, the burst some 14 MB."""
WRITE = f"""write() {{ seq $1 $2 | sed 's/^/line /'; }}
wait_for() {{ while [ ! -e /go/$1 ]; do sleep 0.02; done; }}
n=0
while [ $n -lt {BATCHES} ]; do
  wait_for $n; write $((n * {BATCH})) $(((n + 1) * {BATCH} - 1)); n=$((n+1))
done
wait_for burst; write {BATCH * BATCHES} {BATCH * BATCHES + BURST - 1}
echo end >&2; sleep 1000"""
"""Each batch when the test has seen the one before it, so that no reader is too slow; then a burst at full speed."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    own = {"LOG_TARGET": "sandbox", "LOG_MAX_BYTES": str(OWN_BYTES)}
    with Rig(config={"PODS_LOG_MAX_BYTES": str(LIMIT_BYTES), "PODS_LOG_FILES": str(FILES), **own}) as node:
        yield node


@pytest.fixture
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler() as framework:
        yield framework
        framework.kill("talker", grace_s=0)
        framework.wait_status("talker", "TASK_KILLED", 30)
        rig.wait_clean()


def talker(rig: Rig, go: Path) -> dict[str, Any]:
    go.mkdir()
    volumes = {"volumes": [{"name": "go", "hostPath": {"path": str(go)}}]}
    mounts = {"volumeMounts": [{"name": "go", "mountPath": "/go"}]}
    return rig.pod("talker", command=("sh", "-c", WRITE), spec=volumes, container=mounts)


@contextmanager
def following(rig: Rig, followed: Path) -> Iterator[None]:
    line = [*rig.program, "logs", "talker", "-f", "--stream", "stdout"]
    with followed.open("wb") as out:
        follower = subprocess.Popen(line, env={**os.environ, **rig.environment()}, stdout=out)
    try:
        yield
    finally:
        follower.terminate()
        follower.wait()


def wait_line(path: Path, number: int) -> None:
    end = f"line {number}\n".encode()
    assert wait_for(lambda: path.read_bytes().endswith(end) or None, 60), f"no line {number}"


def test_a_log_is_kept_within_its_size_without_a_gap(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    go, followed = tmp_path / "go", tmp_path / "followed"
    scheduler.launch([talker(rig, go)], rig.executor())
    scheduler.wait_status("talker", "TASK_RUNNING", 30)
    (pod,) = rig.pods()
    log = Path(pod["containers"][0]["log"]["stdout"])
    with following(rig, followed):
        for batch in range(BATCHES):
            (go / str(batch)).touch()
            wait_line(followed, (batch + 1) * BATCH - 1)
    assert followed.read_text() == "".join(f"line {number}\n" for number in range(BATCH * BATCHES))

    (go / "burst").touch()
    assert wait_for(lambda: log.with_suffix(".stderr").read_text() or None, 60) == "end\n"
    assert wait_for(lambda: max(sizes(log)) <= LIMIT_BYTES or None, 60), f"{sizes(log)}, and none may be larger"
    assert len(sizes(log)) == FILES + 1
    kept = rig.command("logs", "talker", "--all", "--stream", "stdout").stdout.splitlines()
    numbers = [int(each.split()[1]) for each in kept[1:]]  # the first one may have begun in a file that is gone
    end = BATCH * BATCHES + BURST
    assert numbers == list(range(end - len(numbers), end)), "no line is missing, none is there twice"
    assert sum(sizes(log)) > FILES * LIMIT_BYTES * 0.99
    assert rig.command("events", "--code", "pod.log_rotated", "--json").stdout
    assert rig.command("events", "--code", "pod.log_dropped").stdout == ""


def sizes(log: Path) -> list[int]:
    return [path.stat().st_size for path in log.parent.glob("app.stdout*")]


def test_the_executors_own_log_rotates_in_its_sandbox(rig: Rig) -> None:
    with rig.scheduler() as scheduler:
        names = [f"pod-{number}" for number in range(8)]
        scheduler.launch([rig.pod(name, command=("sleep", "1000")) for name in names], rig.executor())
        for name in names:
            scheduler.wait_status(name, "TASK_RUNNING", 60)
        sandbox = rig.agent.sandbox(scheduler.framework_id, "mixed")
        newest, older = sandbox / "executor.log", sandbox / "executor.log.1"
        lines = [json.loads(line) for file in (older, newest) for line in file.read_text().splitlines()]
        assert "pod.running" in {line.get("code") for line in lines}
        assert all({"time", "level", "message"} <= line.keys() for line in lines)
        assert max(newest.stat().st_size, older.stat().st_size) <= OWN_BYTES
        assert (sandbox / "stderr").read_text() == "", "all of it is there"
