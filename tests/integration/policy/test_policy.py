"""What the policy of a role does to pods on a real node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import NETWORK, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def printed(rig: Rig, scheduler: Scheduler, name: str, script: str, **pod: Any) -> list[str]:
    """What a pod prints that runs this script to its end."""
    scheduler.launch([rig.pod(name, command=("sh", "-c", script), **pod)], rig.executor())
    scheduler.wait_status(name, "TASK_FINISHED", 60)
    return Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"]).read_text().splitlines()


def test_a_pod_that_its_role_may_not_run(rig: Rig, scheduler: Scheduler) -> None:
    spec = {"hostPID": True, "hostNetwork": True, "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}
    scheduler.launch([rig.pod("wide", spec=spec)], rig.executor())
    status = scheduler.wait_status("wide", "TASK_FAILED", 30)
    assert status.reason == "REASON_TASK_UNAUTHORIZED"
    for path in ("spec.hostNetwork", "spec.hostPID", "spec.volumes[0].hostPath.path"):
        assert path in status.message, status.message
    (refused,) = [each for each in rig.journal("mixed", scheduler) if each.get("code") == "pod.refused"]
    assert "[Host Namespaces]" in json.dumps(refused)


def test_a_pod_that_names_no_network_has_loopback_only(rig: Rig, scheduler: Scheduler) -> None:
    script = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; ls -L -i /proc/self/ns/net | cut -d' ' -f1"
    *interfaces, inode = printed(rig, scheduler, "alone", script)
    assert interfaces == ["lo"]
    assert int(inode) != Path("/proc/self/ns/net").stat().st_ino
    raw = scheduler.wait_status("keeper", "TASK_RUNNING", 5).raw
    assert not any(each.get("ip_addresses") for each in raw["container_status"]["network_infos"]), raw


def test_a_pod_may_name_a_network(rig: Rig, scheduler: Scheduler) -> None:
    metadata = {"annotations": {"mesos-pod-executor/networks": NETWORK}}
    (found,) = printed(rig, scheduler, "joined", "grep -c eth0 /proc/net/dev", metadata=metadata)
    assert found == "1"
