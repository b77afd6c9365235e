"""A claim is a persistent volume of Mesos: made by the framework, mounted into the pod, kept after its task."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mesos.volume_pods import container, facts, task
from tests.support.mesos import messages
from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

ROLE, ID, GROUP = "eng", "db-1", 4343
RESERVED = {**messages.scalar("disk", 64), "reservations": [{"type": "DYNAMIC", "role": ROLE}]}
VOLUME: dict[str, Any] = {
    **RESERVED,
    "disk": {"persistence": {"id": ID}, "volume": {"container_path": "db", "mode": "RW"}},
}
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "db"},
    "spec": {"volumeName": ID, "resources": {"requests": {"storage": "64Mi"}}, "accessModes": ["ReadWriteOnce"]},
}
LOOK = """
echo "before=$(cat /data/file 2>/dev/null)"
echo "root=$(stat -c '%a %g' /data)"
echo "old=$(stat -c '%a %g' /data/file 2>/dev/null)"
echo written > /data/file; chmod 600 /data/file
echo "part=$(touch /part/x && ls /data/sub)"
"""


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="claims", roles=(ROLE,)) as framework:
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


def pod(
    name: str, claim: str = "db", volume: dict[str, Any] = VOLUME, claim_object: dict[str, Any] = CLAIM
) -> dict[str, Any]:
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "data", "mountPath": "/part", "subPath": "sub"}]
    spec = {
        "containers": [container(LOOK, volumeMounts=mounts)],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"fsGroup": GROUP},
    }
    found = task(name, spec, claim_object)
    return {**found, "resources": [*found["resources"], volume]}


def allocated(resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "allocation_info": {"role": ROLE}}


def launch(
    rig: Rig,
    scheduler: Scheduler,
    info: dict[str, Any],
    *,
    make: bool,
    volume: dict[str, Any] = VOLUME,
    state: str = "TASK_RUNNING",
) -> Status:
    """In one ACCEPT with what makes the volume."""
    offers = scheduler.wait_offers(
        lambda offers: make or any("persistence" in str(each) for offer in offers for each in offer["resources"])
    )
    executor = copy.deepcopy(rig.executor(f"claims-{info['name']}"))
    executor["resources"] = [allocated(each) for each in executor["resources"]]
    executor["framework_id"] = {"value": scheduler.framework_id}
    placed = {
        **info,
        "agent_id": offers[0]["agent_id"],
        "resources": [allocated(each) for each in info["resources"]],
        "executor": executor,
    }
    operations = [messages.launch_operation([placed])]
    if make:
        reserve = {"type": "RESERVE", "reserve": {"resources": [allocated(RESERVED)]}}
        operations = [reserve, {"type": "CREATE", "create": {"volumes": [allocated(volume)]}}, *operations]
    scheduler.accept([offer["id"]["value"] for offer in offers], operations)
    return scheduler.wait_status(info["task_id"]["value"], state, 30)


def test_a_claim_outlives_its_task(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, pod("first"), make=True)
    found = facts(rig, "first")
    assert (found["before"], found["root"], found["part"]) == ("", f"2775 {GROUP}", "x")
    (where,) = rig.cluster.directory.rglob(f"volumes/roles/{ROLE}/{ID}")
    assert (where / "file").read_text() == "written\n"
    scheduler.kill("first")
    scheduler.wait_status("first", "TASK_KILLED", 30)
    assert wait_for(lambda: (where / "file").exists() or None, 1)
    launch(rig, scheduler, pod("second"), make=False)
    again = facts(rig, "second")
    assert (again["before"], again["old"]) == ("written", f"660 {GROUP}")
    scheduler.kill("second")
    scheduler.wait_status("second", "TASK_KILLED", 30)
    assert (where / "sub/x").exists()


def test_a_claim_shows_nothing_else_of_the_node(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    """Neither the master nor the agent judges the container_path of a volume; the agent links none that has a /."""
    disk = {"persistence": {"id": "db-2"}, "volume": {"container_path": str(tmp_path), "mode": "RW"}}
    volume = {**RESERVED, "disk": disk}
    claim = {**CLAIM, "spec": {**CLAIM["spec"], "volumeName": "db-2"}}
    info = pod("outside", volume=volume, claim_object=claim)
    status = launch(rig, scheduler, info, make=True, volume=volume, state="TASK_FAILED")
    assert "cannot name a directory in the Mesos sandbox" in status.message
    assert list(tmp_path.iterdir()) == []
