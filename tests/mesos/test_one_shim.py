"""All containers of a pod share one shim, also when they are made at the same time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, SLEEP, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS, CONTAINERS = 6, 6


def pod(rig: Rig, name: str) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "image": IMAGE, "command": list(SLEEP)} for n in range(CONTAINERS)]
    return rig.pod(name, spec={"containers": containers}, mem=64)


def test_one_shim_for_each_pod(rig: Rig, scheduler: Scheduler) -> None:
    """Two shims that start for one pod at a time take each other's socket away; nobody ends the one that loses it."""
    names = [f"pod-{n}" for n in range(PODS)]
    scheduler.launch([pod(rig, name) for name in names], rig.executor())
    for name in names:
        scheduler.wait_status(name, "TASK_RUNNING", 90)
    assert len(rig.containerd.shims()) == PODS
    for name in names:
        scheduler.kill(name, grace_s=0.0)
    for name in names:
        scheduler.wait_status(name, "TASK_KILLED", 60)
    rig.wait_clean(30)
    assert rig.containerd.shims() == []
