"""What the soak finds wrong in the statuses of a task."""

from __future__ import annotations

import pytest

from tests.soak.statuses import faults
from tests.support.mesos.history import Status


def statuses(*fields: tuple[str, str, str]) -> list[Status]:
    """Of one task; state, source and reason of each."""
    return [
        Status(float(at), "web", state, reason, "", source, {"uuid": str(at)} if source == "SOURCE_EXECUTOR" else {})
        for at, (state, source, reason) in enumerate(fields)
    ]


def own(state: str) -> tuple[str, str, str]:
    return state, "SOURCE_EXECUTOR", ""


GONE = ("TASK_GONE", "SOURCE_MASTER", "REASON_RECONCILIATION")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([own("TASK_STARTING"), own("TASK_RUNNING"), own("TASK_FINISHED")], ""),
        ([own("TASK_STARTING"), own("TASK_FINISHED"), GONE], ""),
        ([own("TASK_STARTING"), GONE], ""),
        ([], "0 terminal statuses"),
        ([own("TASK_STARTING"), own("TASK_FINISHED"), own("TASK_GONE")], "2 terminal statuses"),
        ([own("TASK_STARTING"), own("TASK_FINISHED"), ("TASK_GONE", "SOURCE_AGENT", "")], "2 terminal statuses"),
        ([own("TASK_STARTING"), GONE, own("TASK_FINISHED")], "2 terminal statuses"),
        ([own("TASK_FINISHED"), own("TASK_RUNNING")], "a status after the end"),
        ([own("TASK_RUNNING"), own("TASK_STARTING"), own("TASK_FAILED")], "not in order"),
    ],
)
def test_faults(found: list[tuple[str, str, str]], words: str) -> None:
    (said,) = faults(statuses(*found), ["web"]) or [""]
    assert (words in said) if words else said == ""
