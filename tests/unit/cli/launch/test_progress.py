"""The tasks of one `run`: what is launched out of which offers, what is launched again, and the exit code."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from executor.cli.launch.progress import Progress, exit_code, made_by
from tests.support.mesos.messages import executor_info, scalar, task_info

EXECUTOR = executor_info("run", "true", [scalar("cpus", 0.1), scalar("mem", 96)])


def port_range(begin: int, end: int) -> dict[str, Any]:
    ranges = {"range": [{"begin": begin, "end": end}]}
    return {"name": "ports", "type": "RANGES", "ranges": ranges, "allocation_info": {"role": "*"}}


def offer(name: str, cpus: float, agent: str = "a", mem: float = 1024) -> dict[str, Any]:
    resources = [each | {"allocation_info": {"role": "*"}} for each in (scalar("cpus", cpus), scalar("mem", mem))]
    url = {"address": {"ip": "10.0.0.7", "port": 5051}}
    return {"id": {"value": name}, "agent_id": {"value": agent}, "resources": resources, "url": url}


def progress(*names: str, cpus: float = 1.0) -> Progress:
    tasks = {name: task_info(name, [scalar("cpus", cpus), scalar("mem", 32)]) for name in names}
    return Progress(tasks, EXECUTOR, framework="f")


def status(task: str, state: str, *codes: int, **fields: Any) -> dict[str, Any]:
    containers = [{"kind": "main", "exit_code": code} for code in codes]
    data = base64.b64encode(json.dumps({"containers": containers}).encode()).decode()
    return {"task_id": {"value": task}, "state": state, "data": data, **fields}


def test_tasks_are_launched_where_there_is_room_and_name_the_same_executor() -> None:
    run = progress("one", "two", "three")
    run.take_offers([offer("o1", 2.1)], 0.0)
    (first,) = run.accepts()
    assert ([each["name"] for each in first.tasks], run.waiting) == (["one", "two"], ["three"])
    run.take_status(status("one", "TASK_RUNNING"))
    run.take_offers([offer("o2", 1.0)], 1.0)
    (second,) = run.accepts()
    assert [each["name"] for each in second.tasks] == ["three"]
    assert second.tasks[0]["executor"] == first.tasks[0]["executor"]
    assert run.agent_of("three") == "10.0.0.7:5051"


def test_two_offers_of_one_agent_are_put_together_and_one_that_is_no_use_is_declined() -> None:
    run = progress("one")
    run.take_offers([offer("o1", 0.6), offer("o2", 0.4, "b")], 0.0)
    assert not list(run.accepts()) and not run.declined(0.5)
    run.take_offers([offer("o3", 0.6)], 0.5)
    (accept,) = run.accepts()
    assert accept.offers == ("o1", "o3")
    assert run.declined(0.6) == ("o2",)


def test_what_is_short_is_said_also_when_the_offer_was_declined() -> None:
    run = progress("large", cpus=8)
    run.take_offers([offer("o1", 3.5), offer("o2", 2, "b")], 0.0)
    assert not list(run.accepts())
    assert run.declined(2.0) == ("o1", "o2")
    assert run.shortage() == "no agent offers 8.1 cpus: the most is 3.5"


def test_a_port_that_no_agent_offers_is_named() -> None:
    tasks = {"web": task_info("web", [scalar("cpus", 1), port_range(22, 22), port_range(80, 81)])}
    run = Progress(tasks, EXECUTOR, framework="f")
    plain = offer("o1", 4)
    run.take_offers([{**plain, "resources": [*plain["resources"], port_range(31000, 32000)]}], 0.0)
    assert not list(run.accepts())
    assert run.shortage() == "no agent offers all of it: 1.1 cpus, ports 22 80-81, 96 mem"


@pytest.mark.parametrize("lost", ["TASK_LOST", "TASK_DROPPED"])
def test_a_launch_that_met_no_offer_is_launched_again_with_a_new_executor(lost: str) -> None:
    run = progress("one")
    run.take_offers([offer("o1", 1.1)], 0.0)
    (_,) = run.accepts()
    assert run.take_status(status("one", lost))
    assert run.waiting == ["one"] and not run.living
    run.take_offers([offer("o2", 1.0)], 1.0)
    assert not list(run.accepts()), "the executor needs its own resources once more"
    run.take_offers([offer("o3", 0.1)], 1.0)
    assert len(list(run.accepts())) == 1


def test_a_launch_is_given_up_in_the_end_and_a_task_that_began_is_not_launched_again() -> None:
    run = progress("one", "two")
    for attempt in range(10):
        run.take_offers([offer(f"o{attempt}", 1.1)], 0.0)
        assert len(list(run.accepts())) == 1
        assert run.take_status(status("one", "TASK_DROPPED")) is (attempt < 9)
    run.take_offers([offer("last", 1.1)], 0.0)
    assert len(list(run.accepts())) == 1
    run.take_status(status("two", "TASK_RUNNING"))
    assert not run.take_status(status("two", "TASK_LOST"))
    assert run.is_over and run.exit_code == 1


def test_a_volume_that_no_agent_has_is_made_once_and_each_other_one_is_waited_for() -> None:
    disk = {"disk": {"persistence": {"id": "data-0"}, "volume": {"container_path": "data-0", "mode": "RW"}}}
    volume = scalar("disk", 16) | disk | {"reservations": [{"type": "DYNAMIC", "role": "eng"}]}
    tasks = {"db-0": task_info("db-0", [scalar("cpus", 1), volume])}
    plain = {**offer("o1", 4), "resources": [*offer("o1", 4)["resources"], scalar("disk", 100)]}
    run = Progress(tasks, EXECUTOR, framework="f")
    run.take_offers([plain], 0.0)
    assert not list(run.accepts()), "it is not known yet whether an agent has it"
    run.take_volumes(["data-0"])
    assert not list(run.accepts()), "another agent has it"
    run.take_volumes([])
    (accept,) = run.accepts()
    assert [each["type"] for each in accept.makes] == ["RESERVE", "CREATE"]
    assert made_by(accept) == ["data-0"]
    run.take_unsent(accept)
    run.take_offers([{**plain, "id": {"value": "o2"}}], 1.0)
    (again,) = run.accepts()
    assert made_by(again) == ["data-0"]
    run.take_status(status("db-0", "TASK_DROPPED"))
    run.take_offers([{**plain, "id": {"value": "o3"}}], 2.0)
    assert not list(run.accepts()), "the volume was made"


def test_a_launch_that_was_not_sent_waits_again() -> None:
    run = progress("one")
    run.take_offers([offer("o1", 1.1)], 0.0)
    (accept,) = run.accepts()
    run.take_unsent(accept)
    assert run.waiting == ["one"] and not run.living


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (None, 1),
        (status("one", "TASK_FINISHED", 0), 0),
        (status("one", "TASK_FAILED", 0, 7, 9), 7),
        (status("one", "TASK_KILLED", 143), 143),
        (status("one", "TASK_KILLED"), 0),
        (status("one", "TASK_FAILED"), 1),
        (status("one", "TASK_GONE", 137), 1),
        (status("one", "TASK_FAILED") | {"data": "%%"}, 1),
    ],
)
def test_the_exit_code_is_that_of_the_first_container_that_failed(last: Any, code: int) -> None:
    assert exit_code(last) == code
