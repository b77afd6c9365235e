"""Pods with volumes and variables, launched with a ConfigMap and a Secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from tests.unit.pod.samples import Document, pod, task
from tests.unit.pod.volume_samples import with_objects

SETTINGS: Document = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"a": "1", "b": "$(A) and $$"},
    "binaryData": {"blob": base64.b64encode(b"\xff").decode()},
}
LOGIN: Document = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login"},
    "stringData": {"password": "hunter2"},
    "data": {"raw": base64.b64encode(b"\xff").decode()},
}


def parse(container: Document | None = None, *, disks: tuple[Document, ...] = (), **spec: Any) -> PodSpec:
    launched = task(with_objects(pod(container, **spec), SETTINGS, LOGIN))
    return parse_launch([{**launched, "resources": [*launched["resources"], *disks]}], group=False)


def refusal(container: Document | None = None, **spec: Any) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        parse(container, **spec)
    assert "hunter2" not in str(caught.value)
    return caught.value
