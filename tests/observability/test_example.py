"""The examples for authors of frameworks, against the real master."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rig import IMAGE, Rig
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos]

EXAMPLES = Path(__file__).resolve().parents[2] / "packaging/examples"


@pytest.fixture
def rig() -> Iterator[Rig]:
    """One of its own: the example does not wait for another framework to return its offers."""
    with Rig() as node:
        yield node


@pytest.mark.parametrize("name", ["scheduler.py", "scheduler_http.py"])
def test_an_example_scheduler_borrows_and_gives_back(rig: Rig, tmp_path: Path, name: str) -> None:
    info = {**rig.executor("example"), "resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": 96}}]}
    (tmp_path / "executor.json").write_text(json.dumps(info))
    line = [
        sys.executable,
        str(EXAMPLES / name),
        rig.cluster.endpoint,
        str(tmp_path / "executor.json"),
        "--image",
        IMAGE,
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(each) for each in done.stdout.splitlines()]
    states = [(each["task"], each["state"]) for each in lines if each["what"] == "status"]
    for task in ("batch-0", "batch-1"):
        assert [state for name, state in states if name == task] == [
            "TASK_STARTING",
            "TASK_RUNNING",
            "TASK_KILLING",
            "TASK_GONE",
        ]
    assert ("web", "TASK_KILLED") in states and ("web", "TASK_GONE") not in states
    (listed,) = [each["listed"] for each in lines if "listed" in each]
    assert faults("message", {"listed": listed}) == []
    assert sorted(each["tasks"][0] for each in listed["pods"]) == ["batch-0", "batch-1", "web"]
    assert {each["state"] for each in listed["pods"]} == {"running"} and listed["id"] == "example-list"
    (message,) = [each for each in lines if "revocation" in each]
    assert faults("message", {"revocation": message["revocation"]}) == []
    assert message["revocation"]["id"] == "example-1" and message["revocation"]["freed"]["cpus"] == 0.2
    assert {each["reason"] for each in lines if each.get("state") == "TASK_GONE"} == {"REASON_CONTAINER_PREEMPTED"}
    assert {each["next"] for each in lines if each.get("state") == "TASK_GONE"} == {"WHEN_OFFERED"}
    assert lines[-1] == {"what": "end", "failed": ""}
    assert not any((leaks := rig.wait_clean()).values()), leaks
