"""What a pod may put into its volumes, and what its containers cannot do with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesos.volume_pods import container, facts, mounts_of, task
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

MIB = 1 << 20


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="volume-limits") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks
    assert not mounts_of(rig)


def spec(*containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"containers": list(containers), "terminationGracePeriodSeconds": 0, "restartPolicy": "Never", **fields}


def test_a_tmpfs_has_its_size_and_counts_as_the_pods_memory(rig: Rig, scheduler: Scheduler) -> None:
    volumes = [{"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}]
    volumes += [{"name": "large", "emptyDir": {"medium": "Memory"}}]
    script = """
    echo "full=$(dd if=/dev/zero of=/small/x bs=1M count=9 2>&1 | grep -c 'No space left')"
    echo "size=$(df -k /large | tail -1 | tr -s ' ' | cut -d' ' -f2)"
    """
    *mounts, more = [{"name": name, "mountPath": f"/{name}"} for name in ("small", "large", "more")]
    scheduler.launch([task("memory", spec(container(script, volumeMounts=mounts), volumes=volumes))], rig.executor())
    scheduler.wait_status("memory", "TASK_RUNNING", 30)
    found = facts(rig, "memory")
    assert (found["full"], found["size"]) == ("1", str(64 << 10)), "the task has 64 MiB of mem"
    used = wait_for(lambda: usage if (usage := rig.json("inspect", "memory")["usage"]) else None, 5)
    assert used is not None
    assert used["memory_bytes"] > 8 * MIB
    fill = "dd if=/dev/zero of=/{0}/x bs=1M count=30"
    filler = container(f"{fill.format('large')}; exec {fill.format('more')}", volumeMounts=[*mounts, more])
    both = [*volumes, {"name": "more", "emptyDir": {"medium": "Memory"}}]
    scheduler.launch([task("filler", spec(filler, volumes=both), mem=48)], rig.executor())
    failed = scheduler.wait_status("filler", "TASK_FAILED", 30)
    assert failed.raw["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"
    scheduler.kill("memory")
    scheduler.wait_status("memory", "TASK_KILLED", 30)


LINKS = """
if [ -e /v/been ]; then
    echo "absolute=$(ls -A /absolute)"; echo "upwards=$(ls -A /upwards)"; echo "part=$(cat /part/file)"
else
    rmdir /v/absolute /v/upwards; ln -s /etc /v/absolute; ln -s ../../../../../../../etc /v/upwards
    mkdir /v/etc; touch /v/etc/mine /v/been; echo 1 > /v/a/file; exit 1
fi
"""


def test_links_that_a_container_makes_lead_out_of_no_volume(rig: Rig, scheduler: Scheduler) -> None:
    """The second start of the container mounts what its first one has left."""
    parts = {"/absolute": "absolute", "/upwards": "upwards", "/part": "a"}
    mounts = [{"name": "v", "mountPath": path, "subPath": part} for path, part in parts.items()]
    app = container(LINKS, volumeMounts=[{"name": "v", "mountPath": "/v"}, *mounts])
    linked = spec(app, volumes=[{"name": "v", "emptyDir": {}}], restartPolicy="OnFailure")
    scheduler.launch([task("links", linked)], rig.executor())
    scheduler.wait_status("links", "TASK_RUNNING", 30)
    found = facts(rig, "links")
    assert found["part"] == "1"
    assert (found["absolute"], found["upwards"]) == ("mine", "mine"), "the volume's etc, not that of the node"
    scheduler.kill("links")
    scheduler.wait_status("links", "TASK_KILLED", 30)


def test_a_part_of_a_config_map_that_is_not_there_fails_the_launch(rig: Rig, scheduler: Scheduler) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    app = container("", volumeMounts=[{"name": "c", "mountPath": "/etc/app.conf", "subPath": "b"}])
    wrong = spec(app, volumes=[{"name": "c", "configMap": {"name": "c"}}])
    scheduler.launch([task("typo", wrong, config)], rig.executor())
    failed = scheduler.wait_status("typo", "TASK_FAILED", 30)
    assert "volume c, subPath b" in failed.raw["message"]
