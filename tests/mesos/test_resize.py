"""Containers that run get other amounts of cpu and memory: what the kernel says of their groups."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]
NUMBERS = itertools.count()
SCRIPT = "trap 'exit 1' TERM; echo up; while :; do sleep 0.1; done"


def asked(rig: Rig, scheduler: Scheduler, task: str, **containers: Any) -> dict[str, Any]:
    """What the executor answers to a resize."""
    identity = f"r-{next(NUMBERS)}"
    request = {"resize": {"id": identity, "task": task, "containers": containers}}
    scheduler.message(rig.agent.agent_id, "mixed", json.dumps(request).encode())

    def answer() -> dict[str, Any] | None:
        found = [json.loads(data) for data in scheduler.messages()]
        return next((each for each in found if identity in (body["id"] for body in each.values())), None)

    found = wait_for(answer, 10)
    assert found is not None, scheduler.messages()
    return found


def group(rig: Rig, name: str) -> dict[str, str]:
    """The controllers' files of the container's group."""
    pid = rig.json("inspect", name)["containers"][0]["pid"]
    paths = dict(line.split(":")[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    files = {"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us"}
    found = {key: Path(f"/sys/fs/cgroup/{key}{paths[key]}/{file}").read_text().strip() for key, file in files.items()}
    return found | {"shares": Path(f"/sys/fs/cgroup/cpu{paths['cpu']}/cpu.shares").read_text().strip()}


def launch(rig: Rig, scheduler: Scheduler, name: str, script: str = SCRIPT, **spec: Any) -> None:
    resources = {"limits": {"cpu": "50m", "memory": "16Mi"}}
    container = {"resources": resources, "command": ["sh", "-c", script]}
    scheduler.launch([rig.pod(name, cpus=0.5, mem=64, container=container, spec=spec)], rig.executor())
    scheduler.wait_status(name, "TASK_RUNNING", 30)


def test_a_container_has_other_amounts_and_keeps_them_over_a_restart(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "grows", restartPolicy="Always", terminationGracePeriodSeconds=0)
    assert group(rig, "grows") == {"memory": str(16 << 20), "cpu": "5000", "shares": "51"}
    pid = rig.json("inspect", "grows")["containers"][0]["pid"]
    answer = asked(
        rig, scheduler, "grows", app={"limits": {"cpu": "400m", "memory": "48Mi"}, "requests": {"cpu": "200m"}}
    )
    assert answer["resized"]["containers"] == ["app"]
    grown = {"memory": str(48 << 20), "cpu": "40000", "shares": "205"}
    assert group(rig, "grows") == grown
    (container,) = rig.json("inspect", "grows")["containers"]
    assert (container["pid"], container["limits"]["mem_bytes"]) == (pid, 48 << 20), "it goes on"

    rig.command("exec", "grows", "--", "kill", "-TERM", "1")
    assert wait_for(lambda: rig.json("inspect", "grows")["containers"][0]["pid"] not in (pid, None) or None, 20)
    assert group(rig, "grows") == grown | {"shares": "204"}
    codes = [each["code"] for each in rig.journal("mixed", scheduler)]
    assert codes.count("pod.resized") == 1


def test_what_does_not_fit_changes_nothing(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "holds", script="head -c 9000000 /dev/zero | tail -c 9000000 | (sleep 1000; cat) ")
    before = group(rig, "holds")
    answer = asked(rig, scheduler, "holds", app={"limits": {"memory": "100Mi"}})
    assert "task's mem" in answer["error"]["message"]
    answer = asked(rig, scheduler, "nobody", app={"limits": {"memory": "8Mi"}})
    assert "has no pod that runs" in answer["error"]["message"]
    assert wait_for(lambda: _used_bytes(rig, "holds") > 6 << 20 or None, 20)
    answer = asked(rig, scheduler, "holds", app={"limits": {"memory": "4Mi", "cpu": "100m"}})
    assert "do not fit into" in answer["error"]["message"]
    assert group(rig, "holds") == before


def _used_bytes(rig: Rig, name: str) -> int:
    pid = rig.json("inspect", name)["containers"][0]["pid"]
    paths = dict(line.split(":")[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    return int(Path(f"/sys/fs/cgroup/memory{paths['memory']}/memory.usage_in_bytes").read_text())
