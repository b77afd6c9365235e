"""runc hangs while a pod is made: the pod can be killed and revoked all the same, and nothing of it is left."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

STUCK_AFTER_S = 2.0
END_S = 40.0
"""Much less than the limit of a launch, 120 s; containerd gives `runc delete`, which hangs too, 5 s."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config={"REVOCATION_STUCK_AFTER_S": str(STUCK_AFTER_S)}) as node:
        yield node


@contextmanager
def hung_runc(directory: Path) -> Iterator[None]:
    """Each runc that is started waits for ever. The mount is in this test run's own mount namespace."""
    program = directory / "runc"
    program.write_text("#!/bin/sh\nexec sleep 10007\n")
    program.chmod(0o755)
    runc = shutil.which("runc")
    assert runc is not None
    subprocess.run(["mount", "--bind", program, runc], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", runc], check=True)
        for process in hung():
            process.kill()


def hung() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if (each.info["cmdline"] or [])[1:] == ["10007"]]


def test_a_pod_that_is_being_made_can_end(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    scheduler.launch([rig.pod("keeper")], rig.executor())
    scheduler.wait_status("keeper", "TASK_RUNNING", 30)
    with hung_runc(tmp_path):
        scheduler.launch([rig.pod("regular"), rig.pod("revocable", revocable=True)], rig.executor())
        assert wait_for(lambda: True if len(hung()) >= 2 else None, 30)
        begun_s = time.monotonic()
        scheduler.kill("regular", grace_s=0)
        rig.command("revoke", "--all", check=False)
        ends = [scheduler.wait_status(name, TERMINAL, END_S).state for name in ("regular", "revocable")]
        print(f"\nended beside a runc that hangs: {time.monotonic() - begun_s:.1f} s, {ends}")
        assert ends == ["TASK_KILLED", "TASK_GONE"]
        assert scheduler.states("keeper")[-1] == "TASK_RUNNING"
    scheduler.launch([rig.pod("after")], rig.executor())
    scheduler.wait_status("after", "TASK_RUNNING", 30)
    for name in ("after", "keeper"):
        scheduler.kill(name, grace_s=0)
        scheduler.wait_status(name, "TASK_KILLED", 30)
    assert wait_for(lambda: True if remains(rig) == {} else None, 30), remains(rig)
