"""Extended resources: counted against what the task has of the same name."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch, parse_pod
from executor.spec.model import PodSpec
from tests.unit.pod.samples import Document, encoded, pod, scalar, task

DONGLE = "example.com/dongle"
LIMITS = "spec.containers[0].resources.limits"


def asking(amount: Any, **requests: Any) -> Document:
    return {"resources": {"limits": {DONGLE: amount}, **({"requests": requests} if requests else {})}}


def parse(document: Document, *, dongles: float = 3) -> PodSpec:
    resources = [scalar("cpus", 1), scalar("mem", 128), *([scalar(DONGLE, dongles)] if dongles else [])]
    return parse_launch([task(document, resources=resources)], group=False)


@pytest.mark.parametrize("amount", [3, "3", "3000m", 2.0, 0])
def test_what_the_task_has_is_accepted_and_told(amount: Any) -> None:
    assert parse(pod(asking(amount))).without_effect == (f"{LIMITS}.{DONGLE}",)
    assert parse(pod(asking(3, **{DONGLE: 3}))).containers[0].extended == {DONGLE: 3}


def test_a_pod_without_a_task_may_ask_for_any() -> None:
    assert parse_pod(encoded(pod(asking(1000)))).without_effect == (f"{LIMITS}.{DONGLE}",)


def test_init_containers_hold_theirs_before_the_others() -> None:
    one = {"image": "x", **asking(2)}
    containers = [{**one, "name": "a"}, {"image": "x", "name": "b", **asking(1)}]
    assert parse(pod(initContainers=[{**one, "name": "first"}], containers=containers)).name == "web"
    sidecar = {**one, "name": "proxy", "restartPolicy": "Always"}
    with pytest.raises(InvalidTask, match=r"ask for 5 of .* together, and the task's resources have 3"):
        parse(pod(initContainers=[sidecar], containers=containers))


WRONG: dict[str, tuple[Document, str, str]] = {
    "more than there is": (pod(asking(4)), "spec.containers", "ask for 4 of example.com/dongle"),
    "half of one": (pod(asking("500m")), f"{LIMITS}.{DONGLE}", "whole number"),
    "a list": (pod(asking([1])), f"{LIMITS}.{DONGLE}", "got array"),
    "no quantity": (pod(asking("many")), f"{LIMITS}.{DONGLE}", "quantity"),
    "no name": (pod({"resources": {"limits": {"a b/c": 1}}}), f"{LIMITS}.a b/c", "DNS name"),
    "no domain": (pod({"resources": {"limits": {"dongle": 1}}}), f"{LIMITS}.dongle", "no task has"),
    "the name of the field": (pod({"resources": {"limits": {"extended": {}}}}), f"{LIMITS}.extended", "no task has"),
    "another request": (pod(asking(2, **{DONGLE: 1})), f"spec.containers[0].resources.requests.{DONGLE}", "equal"),
    "a request alone": (
        pod({"resources": {"requests": {DONGLE: 1}}}),
        f"spec.containers[0].resources.requests.{DONGLE}",
        "no limit",
    ),
}


@pytest.mark.parametrize(("document", "subject", "words"), WRONG.values(), ids=WRONG)
def test_what_is_refused(document: Document, subject: str, words: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse(document)
    assert caught.value.subject == subject
    assert words in caught.value.message


def test_a_task_without_any() -> None:
    with pytest.raises(InvalidTask, match="resources have 0"):
        parse(pod(asking(1)), dongles=0)
