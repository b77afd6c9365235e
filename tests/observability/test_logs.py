"""A container that writes more than its log may hold, on the real shim: bounded, complete, followed without a gap."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMIT_BYTES = 1 << 20
LINES = 600_000
WRITE = f"""i=0
while [ $i -lt {LINES} ]; do
  echo line $i; i=$((i+1)); [ $((i % 20000)) = 0 ] && sleep 0.4
done
echo end >&2; sleep 1000"""
"""Some 7 MB in a dozen seconds."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(config={"PODS_LOG_MAX_BYTES": str(LIMIT_BYTES), "PODS_LOG_FILES": "3"}) as node:
        yield node


@pytest.fixture
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler() as framework:
        yield framework
        framework.kill("talker", grace_s=0)
        framework.wait_status("talker", "TASK_KILLED", 30)
        rig.wait_clean()


def test_a_log_is_rotated_without_a_gap(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    scheduler.launch([rig.pod("talker", command=("sh", "-c", WRITE))], rig.executor())
    scheduler.wait_status("talker", "TASK_RUNNING", 30)
    line = [*rig.program, "logs", "talker", "-f", "--stream", "stdout"]
    followed = tmp_path / "followed"
    with followed.open("wb") as out:
        follower = subprocess.Popen(line, env={**os.environ, **rig.environment()}, stdout=out)
    (pod,) = rig.pods()
    log = Path(pod["containers"][0]["log"]["stdout"])
    assert wait_for(lambda: log.with_suffix(".stderr").read_text() or None, 60) == "end\n"
    end = f"line {LINES - 1}\n".encode()
    assert wait_for(lambda: followed.read_bytes().endswith(end) or None, 30)
    follower.terminate()
    follower.wait()
    files = sorted(log.parent.glob("app.stdout*"))
    assert len(files) == 4, files
    assert sum(file.stat().st_size for file in files) < 8 * LIMIT_BYTES
    kept = rig.command("logs", "talker", "--all", "--stream", "stdout").stdout.splitlines()
    numbers = [int(each.split()[1]) for each in kept[1:]]  # the first one may have begun in a file that is gone
    assert numbers == list(range(LINES - len(numbers), LINES)), "no line is missing, none is there twice"
    assert followed.read_text() == "".join(f"line {number}\n" for number in range(LINES))
    rotations = rig.command("events", "--code", "pod.log_rotated", "--json").stdout.splitlines()
    assert len(rotations) >= 3
    assert rig.command("events", "--code", "pod.log_dropped").stdout == ""
