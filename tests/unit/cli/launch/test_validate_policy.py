"""`validate` says what the policy of a role does not allow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.cli.exits import Exit
from tests.support.mesos.messages import executor_info, task_info
from tests.unit.cli.conftest import Run

POD = {"apiVersion": "v1", "kind": "Pod", "spec": {"hostPID": True, "containers": [{"name": "a", "image": "b"}]}}
RESOURCES = [
    {"name": name, "type": "SCALAR", "scalar": {"value": 64}, "allocation_info": {"role": "*"}}
    for name in ("cpus", "mem")
]


@pytest.mark.parametrize(("role", "code"), [("*", Exit.INVALID), ("infra/dns", Exit.OK), ("infra", Exit.OK)])
def test_a_pod_is_judged_by_the_policy_of_its_role(run: Run, tmp_path: Path, role: str, code: int) -> None:
    (tmp_path / "config.toml").write_text('[policy.roles]\ninfra = "privileged"\n')
    (tmp_path / "pod").write_text(json.dumps(POD))
    ran = run("--config", str(tmp_path / "config.toml"), "validate", str(tmp_path / "pod"), "--role", role, "--json")
    assert ran.code == code
    if code == Exit.OK:
        assert ran.json["policy"] == "privileged"
    else:
        assert [fault["path"] for fault in ran.json["faults"]] == ["spec.hostPID"]


def test_a_pod_that_would_share_the_nodes_network(run: Run, tmp_path: Path) -> None:
    plain = {**POD, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    task = task_info("t", RESOURCES, data=json.dumps(plain).encode())
    described = {**task, "agent_id": {"value": "a"}, "executor": executor_info("e", "x", [])}
    (tmp_path / "task").write_text(json.dumps(described))
    ran = run("validate", str(tmp_path / "task"), "--json")
    faults = [fault for fault in ran.json["faults"] if "[Host Namespaces]" in fault["message"]]
    assert [fault["path"] for fault in faults] == ["TaskInfo.container.network_infos"]
    assert ran.code == Exit.INVALID and "[cni] default_network" in faults[0]["hint"]
