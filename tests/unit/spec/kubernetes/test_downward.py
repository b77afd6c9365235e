"""The downward API: what a container's environment may ask about its pod."""

from __future__ import annotations

import time
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import RuntimeField, TakenText
from tests.unit.pod.samples import pod, task

METADATA = {"name": "web", "namespace": "shop", "uid": "u-1", "labels": {"app/x": "a.b"}, "annotations": {"n": "1$2"}}


def value(source: dict[str, Any], resources: dict[str, Any] | None = None) -> Any:
    container = {"env": [{"name": "A", "valueFrom": source}], "resources": resources or {}}
    launched = task({**pod(container), "metadata": METADATA})
    return dict(parse_launch([launched], group=False).containers[0].env)["A"]


FIELDS = {
    "metadata.name": "web",
    "metadata.namespace": "shop",
    "metadata.uid": "u-1",
    "metadata.labels['app/x']": "a.b",
    "metadata.labels['none']": "",
    "metadata.annotations['n']": "1$2",
    "spec.serviceAccountName": "default",
    "spec.nodeName": RuntimeField("spec.nodeName"),
    "status.podIP": RuntimeField("status.podIP"),
    "status.hostIPs": RuntimeField("status.hostIPs"),
}


@pytest.mark.parametrize(("path", "found"), FIELDS.items())
def test_fields(path: str, found: Any) -> None:
    value_found = value({"fieldRef": {"fieldPath": path}})
    assert value_found == (TakenText(found) if isinstance(found, str) else found)


@pytest.mark.parametrize("path", ["metadata.labels", "metadata.labels[app]", "spec.containers", "", "status.phase"])
def test_fields_that_a_variable_cannot_have(path: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        value({"fieldRef": {"fieldPath": path}})
    assert caught.value.subject == "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath"


OWN = {"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}}
AMOUNTS: list[tuple[str, str, Any, str]] = [
    ("limits.cpu", "1", OWN, "2"),
    ("limits.cpu", "1m", OWN, "1500"),
    ("limits.memory", "1Mi", OWN, "64"),
    ("limits.memory", "0", OWN, "67108864"),
    ("requests.cpu", "1m", OWN, "250"),
    ("requests.memory", "1", OWN, "67108864"),
    ("limits.cpu", "1", None, "2"),
    ("limits.memory", "1Mi", None, "128"),
    ("requests.cpu", "1", None, "0"),
]


@pytest.mark.parametrize(("resource", "divisor", "resources", "found"), AMOUNTS)
def test_amounts_are_rounded_up_and_fall_back_to_the_tasks(
    resource: str, divisor: str, resources: Any, found: str
) -> None:
    assert value({"resourceFieldRef": {"resource": resource, "divisor": divisor}}, resources) == TakenText(found)


@pytest.mark.parametrize(
    ("field", "reference"),
    [
        ("resource", {"resource": "limits.disk"}),
        ("containerName", {"resource": "limits.cpu", "containerName": "other"}),
        ("divisor", {"resource": "limits.cpu", "divisor": "x"}),
    ],
)
def test_amounts_that_there_are_not(field: str, reference: dict[str, str]) -> None:
    with pytest.raises(InvalidTask) as caught:
        value({"resourceFieldRef": reference})
    assert caught.value.subject == f"spec.containers[0].env[0].valueFrom.resourceFieldRef.{field}"


def test_many_files_of_all_annotations_are_one_text() -> None:
    """It is made once: for each of these files it would take 6 ms."""
    items = [{"path": f"p{at}", "fieldRef": {"fieldPath": "metadata.annotations"}} for at in range(900)]
    document = pod({"volumeMounts": [{"name": "about", "mountPath": "/about"}]})
    document["metadata"] = {**METADATA, "annotations": {f"a{at}": "v" * 100 for at in range(900)}}
    document["spec"]["volumes"] = [{"name": "about", "downwardAPI": {"items": items}}]
    begin = time.process_time()
    with pytest.raises(InvalidTask, match="have more than 4194304 bytes together"):
        parse_launch([task(document)], group=False)
    assert time.process_time() - begin < 1.0
