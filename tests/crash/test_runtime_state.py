"""A runc that is killed while it makes a container leaves its state of it, and so does the one that is to delete that
and is killed too.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.launching import owner_files, since
from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

RUNC = Path("/usr/sbin/runc")
LATE = """#!/bin/sh
for last; do case "$last" in create | delete) what=$last;; esac; done
[ -e {directory}/late ] && [ "$what" = delete ] && kill -9 $$
if [ -e {directory}/late ] && [ "$what" = create ]; then
    mkdir -p /run/containerd/runc/mesos-pods/$last
    echo $$ >{directory}/waits
    while :; do sleep 0.2; done
fi
exec {runc} "$@"
"""
"""It makes the container's directory and does not come further."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("late")
    program = directory / "runc"
    program.write_text(LATE.format(runc=RUNC, directory=directory))
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{directory}:{before}"
    try:
        with Rig() as node:
            node.late = directory  # type: ignore[attr-defined]
            yield node
    finally:
        os.environ["PATH"] = before


@pytest.fixture
def late(rig: Rig) -> Iterator[Path]:
    """While it is there, runc is late."""
    directory: Path = rig.late  # type: ignore[attr-defined]
    (directory / "late").touch()
    yield directory
    for name in ("late", "waits"):
        (directory / name).unlink(missing_ok=True)


def test_nothing_is_left_of_an_executor_that_was_killed_then(rig: Rig, scheduler: Scheduler, late: Path) -> None:
    there = remains(rig)
    scheduler.launch([rig.pod("late", revocable=True)], rig.executor())
    assert wait_for(lambda: (late / "waits").exists() or None, 30)
    (owner,) = owner_files(rig)
    os.kill(json.loads(owner.read_text())["pid"], signal.SIGKILL)
    scheduler.wait_status("late", TERMINAL, 60)
    wait_for(lambda: True if not since(remains(rig), there) else None, 30)
    assert since(remains(rig), there) == {}


def test_nothing_is_left_of_a_pod_that_ends_then(rig: Rig, scheduler: Scheduler, late: Path) -> None:
    """Something else than the executor has killed runc."""
    (late / "late").unlink()
    scheduler.launch([rig.pod("stay"), rig.pod("stay-revocable", revocable=True)], rig.executor())
    for task in ("stay", "stay-revocable"):
        scheduler.wait_status(task, "TASK_RUNNING", 60)
    (late / "late").touch()
    there = remains(rig)
    scheduler.launch([rig.pod("late", revocable=True)], rig.executor())
    runc = wait_for(lambda: (late / "waits").read_text() if (late / "waits").exists() else None, 30)
    assert runc is not None
    os.kill(int(runc), signal.SIGKILL)
    scheduler.wait_status("late", TERMINAL, 60)
    wait_for(lambda: True if not since(remains(rig), there) else None, 30)
    assert since(remains(rig), there) == {}
