from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from executor.names import TaskId
from executor.pod.life.lifecycle import begin
from executor.pod.life.model import Pod
from executor.reporting import container_statuses
from executor.spec.launch import parse_launch
from tests.unit.pod.samples import pod, task

APP = {"name": "app", "image": "app:1"}


def launched(count: int, message: str = "") -> tuple[Pod, TaskId]:
    document = pod()
    document["spec"]["containers"] = [{**APP, "name": f"c{number}"} for number in range(count)]
    made = begin(parse_launch([task(document)], group=False))
    containers = {name: replace(each, message=message) for name, each in made.containers.items()}
    return replace(made, containers=containers), made.spec.task_ids[0]


def test_a_container_before_its_start() -> None:
    (found,) = json.loads(container_statuses.encoded(*launched(1)))["containers"]
    assert found == {
        "name": "c0", "kind": "main", "state": "created", "started": False, "ready": False, "restarts": 0,
        "exit_code": None, "reason": "", "message": "", "probes": {},
    }  # fmt: skip


@given(st.integers(1, 100), st.text(max_size=3000))
def test_it_is_bounded_and_says_what_it_lacks(count: int, message: str) -> None:
    data = container_statuses.encoded(*launched(count, message))
    assert len(data) <= container_statuses.DATA_MAX_BYTES
    document = json.loads(data)
    assert len(document["containers"]) + document.get("left_out", 0) == count
    assert [each["name"] for each in document["containers"]] == [f"c{n}" for n in range(len(document["containers"]))]


def test_containers_of_other_tasks_are_not_in_it() -> None:
    made, _ = launched(2)
    assert json.loads(container_statuses.encoded(made, TaskId("other"))) == {"containers": []}
