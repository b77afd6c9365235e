"""The table of fields is true: a supported field changes the pod, an accepted one does not, a refused one fails."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from executor.spec.reading import fields
from executor.spec.reading.fields import Row
from executor.spec.reading.marks import Status
from tests.support.cases import check_each
from tests.unit.pod.probe_samples import with_check, with_handler
from tests.unit.pod.samples import (
    FULL_DOCKER_TASK,
    FULL_POD,
    Document,
    changed,
    full_task,
    lookup,
    steps,
    without,
)

POD_ROWS = {row.path: row for row in fields.pod_rows()}
TASK_ROWS = {row.path: row for row in fields.task_rows()}
ROWS = POD_ROWS | TASK_ROWS

# Fields that only name a thing for its own document, or are held against another one: nothing of a pod depends on them,
# and a wrong value is refused. What linux_info means is tested in mesos/test_linux.py.
CHECKED_ONLY = {
    "apiVersion",
    "kind",
    "TaskInfo.container.type",
    "TaskInfo.container.mesos.image.type",
    "TaskInfo.container.volumes[].source.type",
    "TaskInfo.command.environment.variables[].type",
    "TaskInfo.check.type",
    "TaskInfo.check.command.command.environment.variables[].type",
    "TaskInfo.health_check.type",
    "TaskInfo.health_check.command.environment.variables[].type",
    "TaskInfo.container.linux_info.bounding_capabilities",
    "TaskInfo.container.linux_info.share_cgroups",
    "TaskInfo.container.linux_info.seccomp.unconfined",
    "TaskInfo.limits.mem",
    "spec.containers[].livenessProbe.successThreshold",
    "spec.containers[].startupProbe.successThreshold",
}
# Supported beside data, where it is tested in kubernetes/test_pod.py; needs a policy: kubernetes/test_security.py;
# needs a Secret: kubernetes/test_pull_secrets.py; stands for many names: kubernetes/test_extended_resources.py; needs a
# resource of the task: kubernetes/test_huge_pages.py.
ELSEWHERE = {
    "TaskInfo.data",
    "spec.imagePullSecrets[].name",
    "spec.containers[].resources.limits.<domain>/<name>",
    "spec.containers[].resources.requests.<domain>/<name>",
    "spec.containers[].resources.limits.hugepages-2Mi",
    "spec.containers[].resources.limits.hugepages-1Gi",
    "spec.containers[].resources.requests.hugepages-2Mi",
    "spec.containers[].resources.requests.hugepages-1Gi",
    "spec.hostPID",
    "spec.hostIPC",
    "spec.containers[].securityContext.privileged",
    "spec.containers[].securityContext.procMount",
}


def parsed(document: Document, row: Row) -> PodSpec:
    return launched(json.dumps(document if row.path.startswith("TaskInfo") else full_task(document)))


@cache
def launched(task: str) -> PodSpec:
    """Most rows have the same sample."""
    return parse_launch([json.loads(task)], group=False)


def sample(row: Row) -> Document:
    if row.path.startswith("spec.containers[].ports"):  # which on the node's network say only what is so anyway
        return without(
            changed(FULL_POD, steps("spec.containers[].ports[].containerPort"), 53), steps("spec.hostNetwork")
        )
    if not row.path.startswith("TaskInfo"):
        return with_handler(row.path)
    return FULL_DOCKER_TASK if row.path.startswith("TaskInfo.container.docker") else with_check(row.path)


def place(row: Row) -> list[str | int]:
    """Where the sample has the field, or has the most of the way to it: entries of a list differ in what they have."""
    wanted = steps(row.path.removesuffix("[]").removeprefix("TaskInfo."))
    return _found(sample(row), wanted)


def _found(document: Any, wanted: list[str | int]) -> list[str | int]:
    if not wanted:
        return []
    step, *rest = wanted
    if isinstance(step, int) and isinstance(document, list):
        step = max(range(len(document)), key=lambda index: (_depth(document[index], rest), -index))
    try:
        return [step, *_found(document[step], rest)]
    except (KeyError, IndexError, TypeError):
        return [step, *rest]


def _depth(document: Any, wanted: list[str | int]) -> int:
    """How many of these steps lead on."""
    if not wanted:
        return 0
    if isinstance(wanted[0], int) and isinstance(document, list):
        return 1 + max((_depth(item, wanted[1:]) for item in document), default=0)
    if isinstance(document, dict) and wanted[0] in document:
        return 1 + _depth(document[wanted[0]], wanted[1:])
    return 0


def rows(status: Status) -> dict[str, Row]:
    return {path: row for path, row in ROWS.items() if row.status is status and path not in ELSEWHERE}


def test_a_supported_field_is_accepted_and_makes_a_difference() -> None:
    check_each(rows(Status.SUPPORTED), makes_a_difference)


def makes_a_difference(row: Row) -> None:
    document = sample(row)
    lookup(document, place(row))
    whole = parsed(document, row)
    if row.path in CHECKED_ONLY:
        with pytest.raises(InvalidTask):
            parsed(changed(document, place(row), "something else"), row)
        return
    try:
        less = parsed(without(document, place(row)), row)
    except InvalidTask:
        return  # it is needed
    assert less != whole


def test_an_accepted_field_changes_nothing() -> None:
    check_each(rows(Status.ACCEPTED), changes_nothing)


def changes_nothing(row: Row) -> None:
    document = sample(row)
    whole = parsed(document, row)
    assert replace(parsed(without(document, place(row)), row), without_effect=whole.without_effect) == whole


def test_an_accepted_field_is_reported() -> None:
    """A field of the agent's own that is always there is not; nor what is below such a field."""
    check_each(rows(Status.ACCEPTED), is_reported)


def is_reported(row: Row) -> None:
    reported = [re.sub(r"\[\d+\]", "[]", path) for path in parsed(sample(row), row).without_effect]
    assert reported.count(row.path.removesuffix("[]")) == row.reported


def test_a_refused_field_is_refused_by_its_path() -> None:
    check_each(rows(Status.REFUSED), is_refused)


def is_refused(row: Row) -> None:
    with pytest.raises(InvalidTask) as caught:
        parsed(changed(sample(row), place(row), "wanted"), row)
    prefix = "TaskInfo." if row.path.startswith("TaskInfo") else ""
    assert steps(caught.value.subject) == steps(prefix) + place(row)
    assert row.note in caught.value.message


def test_a_refused_field_that_asks_for_nothing_passes() -> None:
    check_each(rows(Status.REFUSED), passes_without_a_value)


def passes_without_a_value(row: Row) -> None:
    document = sample(row)
    for value in (None, *(row.only or ())):
        assert parsed(changed(document, place(row), value), row) == parsed(document, row)


def test_the_markdown_has_every_row_once() -> None:
    lines = fields.markdown().splitlines()
    for path, row in ROWS.items():
        assert len([line for line in lines if line.startswith(f"| `{path}` | {row.status} |")]) == 1, path
    assert all(line.count("|") - line.count("\\|") == 4 for line in lines if line.startswith("|"))
