"""A pod that fills the disk ends alone, on a real agent that ends executors whose sandbox is over its quota."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.mesos import messages
from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.options import CGROUPS_ISOLATION
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

WATCH_S = 1.0
QUOTA = {"MESOS_ENFORCE_CONTAINER_DISK_QUOTA": "true", "MESOS_CONTAINER_DISK_WATCH_INTERVAL": f"{WATCH_S:g}secs"}
DISK_MIB = 64
KEEPER_MIB = 512
VOLUME: dict[str, Any] = {"volumes": [{"name": "v", "emptyDir": {}}]}
MOUNT: dict[str, Any] = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(replace(OPTIONS, isolation=(*CGROUPS_ISOLATION, "disk/du"), extra=QUOTA)) as node:
        yield node


def with_disk(task: dict[str, Any], mib: int) -> dict[str, Any]:
    return task | {"resources": [*task["resources"], messages.scalar("disk", mib)]}


def writing(path: str, mib: int, pause: str = "0") -> tuple[str, ...]:
    """One MiB after the other, and then nothing."""
    write = f"dd if=/dev/zero bs=1M count=1 >> {path} 2>/dev/null"
    return ("sh", "-c", f"n=0; while [ $n -lt {mib} ]; do {write}; sleep {pause}; n=$((n+1)); done; sleep 1000")


@pytest.fixture(scope="module")
def keeper(rig: Rig) -> Iterator[Scheduler]:
    """A regular pod that no end of another may touch, while the agent looks on."""
    with rig.scheduler(name="disk") as scheduler:
        launch(rig, scheduler, with_disk(rig.pod("keeper"), KEEPER_MIB))
        scheduler.wait_status("keeper", "TASK_RUNNING", 30)
        yield scheduler


@pytest.fixture(autouse=True)
def kept(rig: Rig, keeper: Scheduler) -> Iterator[None]:
    """After each test, and after some more looks of the agent."""
    (before,) = [pod for pod in rig.pods() if pod["name"] == "keeper"]
    yield
    time.sleep(3 * WATCH_S)
    assert keeper.states("keeper") == ["TASK_STARTING", "TASK_RUNNING"]
    (after,) = [pod for pod in rig.pods() if pod["name"] == "keeper"]
    assert rig.processes(after) == rig.processes(before)


def launch(rig: Rig, scheduler: Scheduler, task: dict[str, Any]) -> None:
    resources = [messages.scalar("mem", 128), messages.scalar("disk", DISK_MIB)]
    scheduler.launch([task], rig.executor(resources=resources))


def ended(scheduler: Scheduler, task: str) -> Status:
    status = scheduler.wait_status(task, TERMINAL, 60)
    assert (status.state, status.reason, status.source) == (
        "TASK_FAILED",
        "REASON_CONTAINER_LIMITATION_DISK",
        "SOURCE_EXECUTOR",
    ), status.message
    return status


def limit_mib(status: Status) -> float:
    (resource,) = status.raw["limitation"]["resources"]
    assert resource["name"] == "disk"
    return float(resource["scalar"]["value"])


def test_a_pod_that_fills_its_volume_ends_alone(rig: Rig, keeper: Scheduler) -> None:
    """And its files are gone when that is told: the agent takes its disk from the quota then."""
    hog = rig.pod("hog", revocable=True, command=writing("/v/f", 400), spec=VOLUME, container=MOUNT)
    launch(rig, keeper, with_disk(hog, 32))
    keeper.wait_status("hog", "TASK_RUNNING", 30)
    (pod,) = [pod["pod"] for pod in rig.pods() if pod["name"] == "hog"]
    volumes = rig.agent.sandbox(keeper.framework_id, "mixed") / "pods" / pod / "volumes"
    status = ended(keeper, "hog")
    assert not volumes.exists()
    assert limit_mib(status) == 32
    assert "volumes" in status.message and "more than the task's disk of 32.0 MiB" in status.message
    assert "pod.disk_limit" in {line["code"] for line in rig.journal("mixed", keeper)}


@pytest.mark.parametrize("where", ["/v/f", "/tmp/f"])
def test_a_file_that_is_removed_and_still_open_counts(rig: Rig, keeper: Scheduler, where: str) -> None:
    """In a volume, and in the writable root file system."""
    script = f"exec 9>{where}; rm {where}; dd if=/dev/zero bs=1M count=100 >&9; sleep 1000"
    name = f"unlinked{where.replace('/', '-')}"
    hog = rig.pod(name, revocable=True, command=("sh", "-c", script), spec=VOLUME, container=MOUNT)
    launch(rig, keeper, with_disk(hog, 32))
    status = ended(keeper, name)
    found = re.search(r"unlinked ([\d.]+) MiB\), more than the task's disk of 32\.0 MiB", status.message)
    assert found and 32 < float(found[1]) <= 100, status.message


def test_a_pod_without_disk_of_its_own_does_not_get_the_executor_killed(rig: Rig, keeper: Scheduler) -> None:
    launch(rig, keeper, rig.pod("free", revocable=True))
    command = writing("/v/f", 2 * (DISK_MIB + KEEPER_MIB), "0.03")
    launch(rig, keeper, rig.pod("unlimited", revocable=True, command=command, spec=VOLUME, container=MOUNT))
    assert "has no disk resource" in ended(keeper, "unlimited").message
    assert keeper.states("free")[-1] == "TASK_RUNNING", "only as many as suffice"
    keeper.kill("free", grace_s=0)
    keeper.wait_status("free", "TASK_KILLED", 30)


def test_a_pod_of_many_files_does_not_delay_the_counts_of_others(rig: Rig, keeper: Scheduler) -> None:
    """100,000 files, which take longer to count than another pod needs to fill the executor's quota."""
    make = "cd /v; for d in $(seq 20); do mkdir d$d; cd d$d; seq 5000 | xargs touch; cd ..; done; echo made; sleep 1000"
    files = ("sh", "-c", make)
    many = rig.pod("many", revocable=True, command=files, spec=VOLUME, container=MOUNT, mem=512)
    launch(rig, keeper, with_disk(many, DISK_MIB))
    keeper.wait_status("many", "TASK_RUNNING", 30)
    made = wait_for(lambda: "made" in rig.command("logs", "many", check=False).stdout or None, 60, 1.0)
    assert made, keeper.states("many")
    time.sleep(8)  # it is counted once
    command = writing("/v/f", 4 * (DISK_MIB + KEEPER_MIB), "0.015")
    launch(rig, keeper, rig.pod("filler", revocable=True, command=command, spec=VOLUME, container=MOUNT))
    assert "has no disk resource" in ended(keeper, "filler").message
    assert keeper.states("many")[-1] == "TASK_RUNNING"
    keeper.kill("many", grace_s=0)
    keeper.wait_status("many", "TASK_KILLED", 60)


def test_renaming_files_does_not_evade_a_limit(rig: Rig, keeper: Scheduler) -> None:
    """containerd cannot count a root file system whose directories are renamed meanwhile."""
    rename = "for i in $(seq 20000); do mv $i a$i; done; for i in $(seq 20000); do mv a$i $i; done"
    churn = f"mkdir /t; cd /t; mkdir $(seq 20000); (while :; do {rename}; done) & "
    command = writing("/f", 300, "0.05")
    limited: dict[str, Any] = {"resources": {"limits": {"ephemeral-storage": "120Mi"}}}
    launch(rig, keeper, rig.pod("churn", command=("sh", "-c", churn + command[2]), container=limited))
    assert limit_mib(ended(keeper, "churn")) == 120


def test_ephemeral_storage_and_size_limits(rig: Rig, keeper: Scheduler) -> None:
    limited: dict[str, Any] = {"resources": {"limits": {"ephemeral-storage": "20Mi"}}}
    small: dict[str, Any] = {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "10Mi"}}]}
    shout = ("sh", "-c", "yes 0123456789012345678901234567890 | head -c 60000000; sleep 1000")
    tasks = [
        rig.pod("layer", command=writing("/f", 60), container=limited),
        rig.pod("shout", command=shout, container=limited),
        rig.pod("volume", command=writing("/v/f", 60), spec=small, container=MOUNT),
        rig.pod("sum", command=writing("/v/f", 60), spec=VOLUME, container=MOUNT | limited),
    ]
    for task in tasks:
        launch(rig, keeper, task)
    told = {task["name"]: ended(keeper, task["name"]) for task in tasks}
    print({name: status.message for name, status in told.items()})
    assert {name: limit_mib(status) for name, status in told.items()} == {
        "layer": 20,
        "shout": 20,
        "volume": 10,
        "sum": 20,
    }
    assert "rootfs" in told["layer"].message and "logs" in told["shout"].message
    assert "volume v holds" in told["volume"].message and "its sizeLimit of 10.0 MiB" in told["volume"].message
    assert "its limits.ephemeral-storage of 20.0 MiB" in told["sum"].message


def test_what_pods_use_is_shown(rig: Rig, keeper: Scheduler) -> None:
    launch(rig, keeper, with_disk(rig.pod("writer", command=writing("/v/f", 8), spec=VOLUME, container=MOUNT), 100))
    keeper.wait_status("writer", "TASK_RUNNING", 30)

    def shown() -> dict[str, Any] | None:
        document = rig.json("inspect", "writer")
        return document if document.get("disk", {}).get("volumes_bytes", 0) >= 8 << 20 else None

    document = wait_for(shown, 90, 1.0)
    assert document is not None, rig.json("inspect", "writer")
    assert document["resources"]["disk_bytes"] == 100 << 20
    assert document["disk"]["total_bytes"] >= document["disk"]["volumes_bytes"] and document["disk"]["complete"]
    keeper.kill("writer", grace_s=0)
    keeper.wait_status("writer", "TASK_KILLED", 30)
