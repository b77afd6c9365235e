"""Probes that hang, and many that do not, keep no revocation waiting."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS = 8
HANGS = ("sh", "-c", "trap 'exit 0' TERM; nc -ll -p 9000 -e sleep 1000 & sleep 1000 & while :; do wait; done")
"""Takes every connection and says nothing."""
PROBES: dict[str, Any] = {
    "livenessProbe": {"exec": {"command": ["sleep", "1000"]}, "timeoutSeconds": 60, "periodSeconds": 1},
    "readinessProbe": {"httpGet": {"port": 9000}, "timeoutSeconds": 60, "periodSeconds": 1},
    "startupProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1, "failureThreshold": 100},
}
NAMES = [f"batch-{number}" for number in range(PODS)]
QUIET = [f"quiet-{name}" for name in NAMES]


def test_probes_that_hang_do_not_delay_a_revocation(rig: Rig, scheduler: Scheduler) -> None:
    quiet = [rig.pod(name, revocable=True, command=HANGS) for name in QUIET]
    probed = [rig.pod(name, revocable=True, command=HANGS, container=PROBES) for name in NAMES]
    scheduler.launch([rig.pod("web"), *quiet, *probed], rig.executor())
    for task in ("web", *QUIET, *NAMES):
        scheduler.wait_status(task, "TASK_RUNNING", 60)
    assert wait_for(lambda: asked(rig, scheduler) >= PODS or None, 60), "each liveness probe hangs"
    without = revoked(rig, QUIET)
    with_probes = revoked(rig, NAMES)
    assert with_probes < 3 * without + 500, f"{with_probes} ms, and {without} ms without probes"


def revoked(rig: Rig, tasks: list[str]) -> float:
    """How long it took until all had ended, in milliseconds."""
    options = [option for task in tasks for option in ("--task", task)]
    receipt = rig.json("revoke", *options, "--grace", "0s")
    assert receipt["state"] == "done" and len(receipt["victims"]) == len(tasks)
    return float(receipt["time_to_free_ms"])


def asked(rig: Rig, scheduler: Scheduler) -> int:
    """Containers whose startup probe has passed, so that the others hang by now."""
    return sum(each["code"] == "pod.probe_passes" for each in rig.journal("mixed", scheduler))
