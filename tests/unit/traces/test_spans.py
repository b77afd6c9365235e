"""The spans of a launch, from the events as they are logged; and the document that a receiver gets."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from executor.spec.trace_context import parent
from executor.traces import otlp
from executor.traces.spans import Launch, Trace

ACCEPTED = {
    "code": "pod.accepted", "pod": "pod-1", "task": "t", "class": "revocable", "role": "eng", "name": "web",
    "namespace": "shop",
}  # fmt: skip
PHASES = {"images": 100.0, "queued": 50.0, "sandbox": 10.0, "network": 300.0, "containers": 200.0, "start": 40.0}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def event(code: str, **keys: Any) -> dict[str, Any]:
    return {"code": code, "pod": "pod-1", **keys}


def trace(*events: tuple[dict[str, Any], float], **accepted: Any) -> Trace:
    launch = Launch({**ACCEPTED, **accepted}, 1000.0)
    found = [launch.follow(each, at_s) for each, at_s in events]
    assert found[:-1] == [None] * (len(found) - 1)
    assert found[-1] is not None
    return found[-1]


def shown(found: Trace) -> list[tuple[str, str, float, float]]:
    return [
        (each.name, each.parent, round(each.begin_s - 1000, 3), round(each.end_s - 1000, 3)) for each in found.spans
    ]


@pytest.mark.parametrize(("set_up_s", "containers_s"), [(0.67, 0.46), (0.47, 0.16)])
def test_a_launch_that_succeeds(set_up_s: float, containers_s: float) -> None:
    """Containers are made after the network or beside it: the time of the set-up says which."""
    found = trace(
        (event("pod.setting_up"), 1000.0),
        (event("pod.initializing"), 1000 + set_up_s),
        (event("pod.container_exited"), 1001.9),
        (event("pod.starting"), 1002.0),
        (event("pod.running", phases_ms=PHASES), 1002.1),
    )
    assert shown(found) == [
        ("launch", "", 0.0, 2.1),
        ("set-up", "launch", 0.0, set_up_s),
        ("images", "set-up", 0.0, 0.1),
        ("queued", "set-up", 0.1, 0.15),
        ("sandbox", "set-up", 0.15, 0.16),
        ("network", "set-up", 0.16, 0.46),
        ("containers", "set-up", containers_s, round(containers_s + 0.2, 3)),
        ("init containers", "launch", set_up_s, 2.0),
        ("start", "launch", 2.0, 2.1),
    ]
    assert {each.error for each in found.spans} == {""}
    assert found.spans[0].attributes == {
        "mesos_pod_executor.pod": "pod-1",
        "mesos_pod_executor.class": "revocable",
        "mesos.task.id": "t",
        "mesos.role": "eng",
        "k8s.pod.name": "web",
        "k8s.namespace.name": "shop",
    }


def test_a_launch_that_fails_says_where_and_why() -> None:
    failed = {"outcome": "TASK_FAILED", "reason": "REASON_CONTAINER_LAUNCH_FAILED", "error": "no such network"}
    found = trace((event("pod.setting_up"), 1000.0), (event("pod.tearing_down", **failed), 1001.0))
    assert shown(found) == [("launch", "", 0.0, 1.0), ("set-up", "launch", 0.0, 1.0)]
    assert [each.error for each in found.spans] == ["no such network", "the launch ended here"]
    assert found.spans[0].attributes["mesos.task.reason"] == "REASON_CONTAINER_LAUNCH_FAILED"


def test_one_that_was_asked_for_by_a_traced_program() -> None:
    found = trace((event("pod.ended"), 1001.0), traceparent=PARENT)
    document = otlp.request([found], {"service.name": "x"}, "{:02x}".format)
    (scope,) = document["resourceSpans"][0]["scopeSpans"]
    (span,) = scope["spans"]
    assert (span["traceId"], span["parentSpanId"]) == (PARENT[3:35], PARENT[36:52])


def test_the_document_has_a_tree() -> None:
    numbers = count(1)
    found = trace((event("pod.setting_up"), 1000.0), (event("pod.running", phases_ms={"images": 1.0}), 1000.5))
    document = otlp.request([found, found], {}, lambda size_bytes: f"{next(numbers):0{2 * size_bytes}x}")
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len({each["spanId"] for each in spans}) == 6 and len({each["traceId"] for each in spans}) == 2
    launch, set_up, images = spans[:3]
    assert "parentSpanId" not in launch and set_up["parentSpanId"] == launch["spanId"]
    assert images["parentSpanId"] == set_up["spanId"]
    assert (launch["startTimeUnixNano"], launch["endTimeUnixNano"]) == ("1000000000000", "1000500000000")
    assert (launch["kind"], set_up["kind"], "status" in launch) == (2, 1, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PARENT.upper(),
        PARENT + "\n",
        PARENT[:-3],
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01",
        "x" * 9999,
    ],
)  # fmt: skip
def test_no_traceparent(text: str) -> None:
    assert parent(text) is None
