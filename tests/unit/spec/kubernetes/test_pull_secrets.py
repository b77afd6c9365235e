"""imagePullSecrets, and when images are pulled."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.images.policy import PullPolicy
from executor.images.registry.credentials import Credential
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from tests.unit.pod.samples import Document, encoded, pod, task

AUTHS = {"r.example": {"username": "robot", "password": "open sesame"}}
MINE = Credential("r.example", "", "robot", "open sesame")


def secret(name: str, kind: str, **data: str) -> Document:
    values = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "data": values}


def launched(*secrets: Document, names: tuple[str, ...] = ("mine",), **container: Any) -> PodSpec:
    document = pod(container, imagePullSecrets=[{"name": name} for name in names])
    data = encoded({"apiVersion": "v1", "kind": "List", "items": [document, *secrets]})
    return parse_launch([task(data=data)], group=False)


def test_credentials_of_both_types_of_secrets() -> None:
    newer = secret("mine", "kubernetes.io/dockerconfigjson", _dockerconfigjson=json.dumps({"auths": AUTHS}))
    older = secret("older", "kubernetes.io/dockercfg", _dockercfg=json.dumps(AUTHS))

    found = launched(newer, older, names=("mine", "older"))

    assert found.pull_credentials == (MINE, MINE)
    assert found.without_effect == ()
    assert "open sesame" not in repr(found)


def test_a_secret_that_is_not_there_or_holds_no_credentials_is_told() -> None:
    other = secret("other", "Opaque", _dockerconfigjson="{}")

    found = launched(other, names=("absent", "other"))

    assert found.pull_credentials == ()
    assert found.without_effect == ("spec.imagePullSecrets[0]", "spec.imagePullSecrets[1]")


def test_broken_credentials_are_refused_without_showing_them() -> None:
    auths = {"r.example": {"auth": "geheim"}}
    broken = secret("mine", "kubernetes.io/dockerconfigjson", _dockerconfigjson=json.dumps({"auths": auths}))

    with pytest.raises(InvalidTask, match="base64") as caught:
        launched(broken)
    assert caught.value.subject == "spec.imagePullSecrets[0]: auths[r.example].auth"
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("Always", PullPolicy.ALWAYS),
        ("Never", PullPolicy.NEVER),
        ("IfNotPresent", PullPolicy.IF_NOT_PRESENT),
        ("", None),
    ],
)
def test_the_policy_of_a_container(written: str, policy: PullPolicy | None) -> None:
    assert launched(imagePullPolicy=written).containers[0].pull_policy is policy
