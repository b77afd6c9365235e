"""Executors that are killed while they launch pods of both classes: nothing is left, and every task's end is told.

runc is slowed down, so that the kill meets calls that containerd is working on: it then forgets shims that live on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.launching import PODS, kill_in_launch
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

STATUS_S = 10.0
DELAYS_S = (0.05, 0.4, 0.8)
RUNC = Path("/usr/sbin/runc")
SLOW = """#!/bin/sh
for word; do [ "$word" = create ] && {{ sleep 0.3; break; }}; done
exec {runc} "$@"
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("slow")
    slow = directory / "runc"
    slow.write_text(SLOW.format(runc=RUNC))
    slow.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{directory}:{before}"
    try:
        with Rig() as node:
            yield node
    finally:
        os.environ["PATH"] = before


@pytest.mark.parametrize("survivor", [False, True])
def test_nothing_is_left_and_every_end_is_told(rig: Rig, survivor: bool) -> None:
    with rig.scheduler(name=f"kills-{survivor}") as scheduler:
        if survivor:
            stay = [rig.pod("stay"), rig.pod("stay-revocable", revocable=True)]
            scheduler.launch(stay, rig.executor("survivor"))
            for task in stay:
                scheduler.wait_status(task["name"], "TASK_RUNNING", 60)
        for number, delay_s in enumerate(DELAYS_S):
            outcome = kill_in_launch(rig, scheduler, f"dies{number}", delay_s)
            print(f"\n{outcome}")
            assert outcome.states.get("TASK_RUNNING", 0) < PODS, "the kill came too late to mean anything"
            assert outcome.left == {} and outcome.gc_exit == 0
            assert outcome.latest_s < STATUS_S
        if survivor:
            assert [pod["state"] for pod in rig.pods()] == ["running", "running"]
