"""A runc that outlives the executor makes cgroups again while the agent destroys the container: it must not wait."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.crash.launching import owner_files
from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS = 6
STATUS_S = 10.0


def make_again(root: Path, stop: threading.Event) -> None:
    """As runc does with the cgroup of a container that it was told to make before: in the freezer, where the agent
    lists what it destroys. One of these comes after that list.
    """
    number = 0
    while not stop.is_set():
        number += 1
        for path in root.glob("pods/*/_/pod-*"):
            with contextlib.suppress(OSError):
                (path / f"late{number}").mkdir()
        time.sleep(0.01)


@pytest.mark.parametrize("survivor", [False, True])
def test_the_statuses_come_in_time_all_the_same(survivor: bool) -> None:
    with Rig() as rig, rig.scheduler(name="again") as scheduler:
        if survivor:
            scheduler.launch([rig.pod("stay")], rig.executor("survivor"))
            scheduler.wait_status("stay", "TASK_RUNNING", 30)
        before, there = owner_files(rig), remains(rig)
        names = [f"pod{n}" for n in range(PODS)]
        tasks = [rig.pod(name, revocable=bool(n % 2)) for n, name in enumerate(names)]
        scheduler.launch(tasks, rig.executor("dies"))
        for name in names:
            scheduler.wait_status(name, "TASK_RUNNING", 60)
        (owner,) = owner_files(rig) - before
        document = json.loads(owner.read_text())
        stop = threading.Event()
        runc = threading.Thread(
            target=make_again, args=(Path("/sys/fs/cgroup/freezer" + document["cgroup_root"]), stop)
        )
        runc.start()
        os.kill(document["pid"], signal.SIGKILL)
        killed = time.monotonic()
        time.sleep(0.3)
        stop.set()
        runc.join()
        for name in names:
            scheduler.wait_status(name, TERMINAL, 90)
        took_s = time.monotonic() - killed
        print(f"\nthe last status came {took_s:.2f} s after the kill")
        assert took_s < STATUS_S
        assert wait_for(lambda: True if not owner_files(rig) - before else None, 20)
        assert remains(rig) == there
