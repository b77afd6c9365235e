"""{"list": ...}: what a framework may ask, and an answer that is bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executor.errors import InvalidRequest
from executor.pod import listing
from tests.support.schema import faults


def pod(number: int, **keys: Any) -> dict[str, Any]:
    return {
        "pod": f"pod-{number}",
        "tasks": [f"t-{number}"],
        "name": f"web-{number}",
        "namespace": "default",
        "class": "regular",
        "role": "*",
        "state": "running",
        "ips": [],
        "started_at": "2026-01-01T00:00:00.000Z",
        "containers": [{"name": "app", "state": "running", "ready": True, "restarts": 0}],
        **keys,
    }


def test_everything_or_some_tasks() -> None:
    pods = [pod(1), pod(2, healthy=False), pod(3, tasks=["a", "b"])]
    everything = listing.answer(listing.parse({}), pods)
    assert everything == {"listed": {"id": "", "pods": pods, "left_out": 0}}
    query = listing.parse({"id": "l-1", "tasks": ["t-2", "b", "gone", "coming", "gone"]})
    found = listing.answer(query, pods, ["coming"])["listed"]
    assert (found["id"], found["unknown"]) == ("l-1", ["gone"]), "a launch that is not read yet is known"
    assert [each["pod"] for each in found["pods"]] == ["pod-2", "pod-3"]
    assert faults("message", {"listed": found}) == [] == faults("message", everything)


def test_many_pods_do_not_make_a_message_that_nobody_carries() -> None:
    pods = [pod(number, name="x" * 200) for number in range(5000)]
    answer = listing.answer(listing.parse({}), pods)
    found = answer["listed"]
    assert len(json.dumps(answer)) < listing.ANSWER_BYTES + 1024
    assert found["left_out"] == 5000 - len(found["pods"]) > 0
    assert found["pods"] == pods[: len(found["pods"])]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "all",
        {"task": "t"},
        {"id": 1},
        {"id": "x" * 129},
        {"tasks": "t"},
        {"tasks": []},
        {"tasks": ["t", 1]},
        {"tasks": ["t"] * 1001},
    ],
)
def test_what_cannot_be_asked(document: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        listing.parse(document)
    assert raised.value.subject.startswith("list") and '{"list": {}}' in raised.value.hint
