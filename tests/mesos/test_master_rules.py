"""`validate` against the real master: both must say the same of every combination."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.mesos import master_rules
from tests.mesos.combinations import Case, cases, printed
from tests.support.mesos.cluster import Cluster
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler, Status
from tests.support.rig import wait_for
from tests.unit.cli.conftest import run  # noqa: F401 - a fixture

pytestmark = [pytest.mark.root, pytest.mark.mesos]

OPTIONS = AgentOptions(estimator=True, resources="cpus:64;mem:16384;disk:4096")
FATAL = "group-twice"
"""Not refused by the master: it ends it."""


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, list[Status]]]:
    """The first word about each task, after one ACCEPT of all cases."""
    with Cluster(1, OPTIONS) as cluster:
        cluster.agent.set_revocable(cpus=32, mem=8192)
        with Scheduler(cluster.endpoint) as scheduler:
            offers = scheduler.wait_offers(_both_kinds)
            agent = offers[0]["agent_id"]["value"]
            asked = [case for case in cases() if case.name != FATAL]
            operations = [case.operation(scheduler.framework_id, agent) for case in asked]
            scheduler.accept([offer["id"]["value"] for offer in offers], operations)
            yield {case.name: [_first(scheduler, task) for task in dict.fromkeys(case.task_ids)] for case in asked}


def _both_kinds(offers: list[dict[str, Any]]) -> bool:
    return {"revocable" in resource for offer in offers for resource in offer["resources"]} == {True, False}


def _first(scheduler: Scheduler, task: str) -> Status:
    """An executor that ends at once makes every accepted task fail: nobody is waited for."""

    def look() -> Status | None:
        return next(iter(scheduler.statuses(task)), None)

    return scheduler.wait(look, 30, lambda: f"no word about {task!r}")


@pytest.mark.parametrize("case", [case for case in cases() if case.name != FATAL], ids=lambda case: case.name)
def test_the_master_and_validate_agree(answers: dict[str, list[Status]], case: Case) -> None:
    refused = [
        status for status in answers[case.name] if (status.state, status.source) == ("TASK_ERROR", "SOURCE_MASTER")
    ]
    assert len(refused) in (0, len(answers[case.name])), "the whole launch or nothing"
    tasks, executor = case.sent("the-launching-one", "agent")
    found = master_rules.faults(tasks, executor, group=case.group, framework_id="the-launching-one")
    said = refused[0].message if refused else "accepted"
    assert bool(found) == bool(refused), f"the master: {said}; validate: {[str(fault) for fault in found]}"


@pytest.mark.parametrize("case", printed(), ids=lambda case: case.name)
def test_what_executor_info_prints_is_accepted(answers: dict[str, list[Status]], case: Case) -> None:
    assert {status.source for status in answers[case.name]} <= {"SOURCE_AGENT", "SOURCE_EXECUTOR"}


def test_the_table_has_both_kinds_of_answers(answers: dict[str, list[Status]]) -> None:
    refused = [name for name, statuses in answers.items() if statuses[0].state == "TASK_ERROR"]
    assert len(refused) > 25 and len(answers) - len(refused) > 15


def test_a_group_that_names_a_task_twice_ends_the_master() -> None:
    """Which is why `validate` refuses it. When this fails, Mesos has been corrected: strike the warning."""
    (case,) = [case for case in cases() if case.name == FATAL]
    assert master_rules.faults(case.tasks, case.executor, group=True)
    with Cluster(1, OPTIONS) as cluster, Scheduler(cluster.endpoint) as scheduler:
        (offer,) = scheduler.wait_offers()
        operation = case.operation(scheduler.framework_id, offer["agent_id"]["value"])
        with contextlib.suppress(OSError, http.client.HTTPException):
            scheduler.accept([offer["id"]["value"]], [operation])
        assert wait_for(lambda: None if cluster.master.running else True, 10)
        assert "Duplicate task group-twice" in cluster.master.log()


def test_the_command_says_what_the_rules_say(run: Any, tmp_path: Path) -> None:  # noqa: F811
    """The documents are written as a framework's author writes them."""
    for case in cases():
        file = tmp_path / "launch.json"
        file.write_text(json.dumps(case.document()))
        found = master_rules.faults(case.tasks, case.executor, group=case.group, complete=False)
        ran = run("validate", str(file))
        if found:
            assert ran.code == 6 and found[0].message in ran.err, (case.name, ran)
