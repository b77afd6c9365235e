"""Other amounts for containers that run: what a request may ask for, and what it comes to."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import ExecutorError, InvalidRequest
from executor.spec import resize
from executor.spec.launch import parse_launch
from executor.spec.model import Limits, PodSpec
from tests.unit.pod.samples import pod, task

HALF = {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "32Mi"}}
APP = {"name": "app", "image": "x", "resources": HALF}
SIDE = {
    "name": "side",
    "image": "x",
    "resources": {"limits": {"memory": "16Mi"}},
    "resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}],
}


@pytest.fixture
def spec() -> PodSpec:
    """The pod of a task with 1.5 cpus and 128 MiB."""
    first = {"name": "first", "image": "x"}
    return parse_launch([task(pod(containers=[APP, SIDE], initContainers=[first]))], group=False)


def resized(spec: PodSpec, **containers: Any) -> dict[str, tuple[Limits, Limits]]:
    request = resize.parse({"id": "r", "task": "t", "containers": containers})
    return {one.name: (one.limits, one.requests) for one in resize.applied(spec, request).containers}


def test_what_is_not_named_stays(spec: PodSpec) -> None:
    found = resized(
        spec, app={"limits": {"cpu": 1}, "requests": {"memory": "48Mi"}}, side={"requests": {"cpu": "100m"}}
    )
    assert found["app"] == (Limits(1.0, 64 << 20), Limits(0.25, 48 << 20))
    assert found["side"] == (Limits(None, 16 << 20), Limits(0.1))


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "another container": ({"web": {}}, "resize.containers.web", "no such container"),
    "one that ends": ({"first": {}}, "resize.containers.first", "no such container"),
    "disk": (
        {"app": {"limits": {"ephemeral-storage": "1Gi"}}},
        "resize.containers.app.limits.ephemeral-storage",
        "cannot be changed",
    ),
    "no amount": ({"app": {"limits": {"cpu": "much"}}}, "limits.cpu", "quantity"),
    "no field": ({"app": {"limit": {"cpu": 1}}}, "limit", "not a field"),
    "a request above the limit": (
        {"app": {"requests": {"cpu": 1}}},
        "resize.containers.app.requests.cpu",
        "more than its limit",
    ),
    "more than the task has": ({"app": {"limits": {"memory": "120Mi"}}}, "resize.containers", "mem"),
    "one that would restart": ({"side": {"limits": {"memory": "20Mi"}}}, "resize.containers.side", "restarted"),
}


@pytest.mark.parametrize(("containers", "subject", "words"), WRONG.values(), ids=WRONG)
def test_what_is_refused(spec: PodSpec, containers: dict[str, Any], subject: str, words: str) -> None:
    with pytest.raises(ExecutorError, match=words) as caught:
        resized(spec, **containers)
    assert caught.value.subject.endswith(subject)


@pytest.mark.parametrize(
    ("document", "subject"),
    [
        ([], "resize"),
        ({"task": "t", "containers": {"a": {}}, "more": 1}, "resize"),
        ({"id": 1, "task": "t", "containers": {"a": {}}}, "resize.id"),
        ({"task": "", "containers": {"a": {}}}, "resize.task"),
        ({"task": "t", "containers": {}}, "resize.containers"),
        ({"task": "t", "containers": {str(number): {} for number in range(101)}}, "resize.containers"),
    ],
)
def test_what_is_no_request(document: object, subject: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resize.parse(document)
    assert caught.value.subject == subject
