"""The image of a task without a pod: when it is pulled, and with which credentials."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.images.policy import PullPolicy
from executor.images.registry.credentials import Credential
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from tests.unit.pod.samples import task


def launched(*, docker: dict[str, Any] | None = None, **image: Any) -> PodSpec:
    found = {"type": "DOCKER", "docker": {"name": "r.example/app", **(docker or {})}, **image}
    return parse_launch([task(container={"type": "MESOS", "mesos": {"image": found}})], group=False)


def secret(text: str) -> dict[str, Any]:
    return {"type": "VALUE", "value": {"data": base64.b64encode(text.encode()).decode()}}


def test_cached_says_whether_the_registry_is_asked() -> None:
    assert launched().containers[0].pull_policy is PullPolicy.IF_NOT_PRESENT  # although the tag is latest
    assert launched(cached=True).containers[0].pull_policy is PullPolicy.IF_NOT_PRESENT
    assert launched(cached=False).containers[0].pull_policy is PullPolicy.ALWAYS


@pytest.mark.parametrize(("forced", "policy"), [(True, PullPolicy.ALWAYS), (False, PullPolicy.IF_NOT_PRESENT)])
def test_force_pull_image(forced: bool, policy: PullPolicy) -> None:
    container = {"type": "DOCKER", "docker": {"image": "app", "force_pull_image": forced}}
    assert parse_launch([task(container=container)], group=False).containers[0].pull_policy is policy


def test_the_credentials_of_an_image() -> None:
    text = '{"auths": {"r.example": {"username": "u", "password": "geheim"}}}'
    found = launched(docker={"config": secret(text)})

    assert found.pull_credentials == (Credential("r.example", "", "u", "geheim"),)
    assert "geheim" not in repr(found)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (secret("geheim"), "JSON"),
        ({"type": "VALUE", "value": {"data": "%geheim%"}}, "base64"),
        ({"type": "VALUE"}, "missing"),
        ({"type": "REFERENCE", "reference": {"name": "x"}}, "VALUE"),
    ],
)
def test_what_is_no_config(config: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidTask, match=words) as caught:
        launched(docker={"config": config})
    assert "geheim" not in str(caught.value)
