"""A shim that does not answer holds up nobody: gc releases the other containers, ends the shim and releases its own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.launching import owner_files
from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, end_watcher, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS = 5
GC_S = 15.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


@pytest.mark.parametrize(("hung", "outside"), [("regular", False), ("revocable", False), ("regular", True)])
def test_gc_beside_a_hung_shim(rig: Rig, hung: str, outside: bool) -> None:
    """`outside`: the shim is not in its executor's group, like one whose start was interrupted early."""
    with rig.scheduler(name=f"hung-{hung}-{outside}") as scheduler:
        tasks = [rig.pod(f"{hung}-{n}", revocable=(hung == "revocable") == (n == 0)) for n in range(PODS)]
        scheduler.launch(tasks, rig.executor(hung))
        for task in tasks:
            scheduler.wait_status(task["name"], "TASK_RUNNING", 60)
        (pod,) = [each["pod"] for each in rig.pods() if each["name"] == f"{hung}-0"]
        (shim,) = [pid for pid in rig.containerd.shims() if pod.encode() in command_line(pid)]
        (owner,) = owner_files(rig)
        pid = json.loads(owner.read_text())["pid"]
        if outside:
            Path("/sys/fs/cgroup/freezer/cgroup.procs").write_text(str(shim))
        os.kill(shim, signal.SIGSTOP)
        end_watcher(pid)
        os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        done = rig.json("gc")
        took_s = time.monotonic() - begun
        for task in tasks:
            scheduler.wait_status(task["name"], TERMINAL, 90)
        status_s = time.monotonic() - begun
        print(f"\ngc beside a hung shim of a {hung} pod: {took_s:.2f} s, last status {status_s:.2f} s, {done}")
        assert done["released"]["containers"] == PODS and done["failed"] == []
        assert took_s < GC_S
        assert wait_for(lambda: True if remains(rig) == {} else None, 10), remains(rig)


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
