"""`validate`: what is known of a file before its launch."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from executor.cli.exits import Exit
from executor.cli.launch.executor_info import executor_info
from tests.unit.cli.conftest import POD, Run


def test_validate_an_executor_info_that_the_master_would_refuse(run: Run, tmp_path: Path) -> None:
    info = json.loads(run("executor-info", "--class", "regular").out)
    info["resources"].append({**info["resources"][0], "revocable": {}})
    (tmp_path / "info.json").write_text(json.dumps(info))
    ran = run("validate", str(tmp_path / "info.json"))
    assert ran.code == Exit.INVALID
    assert "cpus is both revocable and not" in ran.err


def test_validate_a_pod(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD)
    document = run("validate", str(file), "--json").json
    assert (document["ok"], document["name"], document["containers"]) == (True, "web", ["main"])
    file.write_text(POD.replace("image:", "imagge:"))
    ran = run("validate", str(file))
    assert ran.code == Exit.INVALID
    assert "imagge" in ran.err


def task(**fields: Any) -> dict[str, Any]:
    resources: list[dict[str, Any]] = [
        {"name": name, "type": "SCALAR", "scalar": {"value": 32}} for name in ("cpus", "mem")
    ]
    for resource in resources:
        resource["allocation_info"] = {"role": "*"}
    identity = {"name": "t", "task_id": {"value": "t"}, "agent_id": {"value": "a"}}
    return {**identity, "resources": resources, "data": base64.b64encode(POD.encode()).decode(), **fields}


def on(*names: str) -> dict[str, Any]:
    return {"type": "MESOS", "network_infos": [{"name": name} for name in names]}


def info(*names: str) -> dict[str, Any]:
    """An ExecutorInfo that is on these networks."""
    found = executor_info("mixed", "e", "e", "/usr/bin/e", {"cpus": 0.1, "mem": 32, "disk": 32})
    return {**found, "container": on(*names)} if names else found


@pytest.mark.parametrize(
    ("document", "network"),
    [
        (task(), "the executor's own (no [cni] default_network); the node's only for a role with host_network"),
        (task(executor=info("blue", "red")), "the executor's own, on blue, red"),
        (task(container=on("green")), "green, if the ExecutorInfo names no network"),
        (task(container=on("green"), executor=info()), "green"),
    ],
)
def test_validate_says_of_the_network_what_the_file_tells(
    run: Run, tmp_path: Path, document: dict[str, Any], network: str
) -> None:
    (tmp_path / "task").write_text(json.dumps(document))
    assert run("validate", str(tmp_path / "task"), "--json").json["network"] == network


def test_validate_knows_where_no_pod_can_join_a_network(run: Run, tmp_path: Path) -> None:
    """It is known at the launch only where the executor is, unless the task brings its ExecutorInfo along."""
    (tmp_path / "task").write_text(json.dumps(task(container=on("green"), executor=info("blue"))))
    ran = run("validate", str(tmp_path / "task"))
    assert ran.code == Exit.INVALID and "the executor is on blue" in ran.err


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"executor_id": 3}, "executor_id: expected `object | null`, got `int`"),
        ({**info(), "resources": [3]}, "resources[0]: expected `object`, got `int`"),
        ({**info(), "container": {"network_infos": [3]}}, "container.network_infos[0]: expected `object`, got `int`"),
        (task(executor=3), "executor: expected `object`, got `int`"),
        (task(executor={**info(), "container": []}), "executor.container: expected `object | null`, got `array`"),
    ],
)
def test_validate_names_the_field_of_an_executor(run: Run, tmp_path: Path, document: dict[str, Any], told: str) -> None:
    (tmp_path / "file").write_text(json.dumps(document))
    ran = run("validate", str(tmp_path / "file"))
    assert ran.code == Exit.INVALID and f"mesos-pod-executor: {tmp_path / 'file'}: {told} (see" in ran.err


def test_validate_tells_nothing_of_a_task_that_is_not_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pod").write_text(POD)
    assert not {"class", "role", "tasks"} & set(run("validate", str(tmp_path / "pod"), "--json").json)
    (tmp_path / "task").write_text(json.dumps(task()))
    assert run("validate", str(tmp_path / "task"), "--json").json["tasks"] == ["t"]


@pytest.mark.parametrize(("text", "code"), [("[]", 6), ("{", 6), ("a: [", 6), ('{"x": 1}', 6), (None, 3)])
def test_validate_rubbish(run: Run, tmp_path: Path, text: str | None, code: int) -> None:
    file = tmp_path / "x"
    if text is not None:
        file.write_text(text)
    ran = run("validate", str(file))
    assert ran.code == code
    assert ran.err.count("\n") == 1
