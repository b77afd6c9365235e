"""Huge pages: what is asked of them, and which volumes may be on them."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch, parse_pod
from executor.spec.model import PodSpec
from executor.spec.volume_model import EmptyDir
from tests.unit.pod.samples import Document, encoded, pod, scalar, task

MI, GI = 2 << 20, 1 << 30
LIMITS = "spec.containers[0].resources.limits"
MEDIUM = "spec.volumes[0].emptyDir.medium"


def asking(limits: dict[str, Any], requests: dict[str, Any] | None = None, **spec: Any) -> Document:
    return pod({"resources": {"limits": {"memory": "8Mi", **limits}, "requests": requests or {}}}, **spec)


def on(medium: str, **limits: Any) -> Document:
    return asking({name.replace("_", "-"): amount for name, amount in limits.items()}, volumes=[volume(medium)])


def volume(medium: str) -> Document:
    return {"name": "huge", "emptyDir": {"medium": medium, "sizeLimit": "4Mi"}}


def parse(document: Document, *, huge_mib: float = 8) -> PodSpec:
    resources = [scalar("cpus", 1), scalar("mem", 128), scalar("hugepages-2Mi", huge_mib)]
    return parse_launch([task(document, resources=resources)], group=False)


def test_limits_are_those_of_the_container() -> None:
    found = parse(asking({"hugepages-2Mi": "4Mi", "hugepages-1Gi": 0}, {"hugepages-2Mi": 4 << 20}))
    assert found.containers[0].huge_pages == {MI: 4 << 20}
    assert parse(pod()).containers[0].huge_pages == {}, "Kubernetes gives none to a container that asks for none"


def test_a_pod_without_a_task_may_ask_for_any() -> None:
    assert parse_pod(encoded(asking({"hugepages-1Gi": "100Gi"}))).containers[0].huge_pages == {GI: 100 << 30}


def test_init_containers_hold_theirs_before_the_others() -> None:
    one = {"image": "x", "resources": {"limits": {"hugepages-2Mi": "6Mi", "cpu": 1}}}
    assert parse(pod({**one}, initContainers=[{**one, "name": "first"}])).name == "web"
    with pytest.raises(InvalidTask, match=r"ask for 12 MiB of hugepages-2Mi together, .* have 8"):
        parse(pod(containers=[{**one, "name": "a"}, {**one, "name": "b"}]))


@pytest.mark.parametrize(
    ("document", "page_bytes"),
    [
        (on("HugePages", hugepages_2Mi="4Mi"), MI),
        (on("HugePages-2Mi", hugepages_2Mi="4Mi", hugepages_1Gi="1Gi"), MI),
        (on("HugePages-1Gi", hugepages_2Mi="4Mi", hugepages_1Gi="1Gi"), GI),
    ],
)
def test_a_volume_has_pages_that_the_containers_ask_for(document: Document, page_bytes: int) -> None:
    found = parse_pod(encoded(document)).volumes
    assert found == (EmptyDir("huge", 4 << 20, in_memory=True, page_bytes=page_bytes),)


WRONG: dict[str, tuple[Document, str, str]] = {
    "half a page": (asking({"hugepages-2Mi": "1Mi"}), f"{LIMITS}.hugepages-2Mi", "whole number of pages"),
    "no quantity": (asking({"hugepages-2Mi": "many"}), f"{LIMITS}.hugepages-2Mi", "quantity"),
    "another size": (asking({"hugepages-4Mi": "4Mi"}), f"{LIMITS}.hugepages-4Mi", "no task has"),
    "another request": (
        asking({"hugepages-2Mi": "4Mi"}, {"hugepages-2Mi": "2Mi"}),
        "spec.containers[0].resources.requests.hugepages-2Mi",
        "equal limit",
    ),
    "a request alone": (
        asking({}, {"hugepages-2Mi": "2Mi"}),
        "spec.containers[0].resources.requests.hugepages-2Mi",
        "equal limit",
    ),
    "nothing else": (
        pod({"resources": {"limits": {"hugepages-2Mi": "2Mi"}}}),
        LIMITS,
        "neither cpu nor memory",
    ),
    "a volume of none": (on("HugePages"), MEDIUM, "no container asks"),
    "a volume of another size": (on("HugePages-1Gi", hugepages_2Mi="2Mi"), MEDIUM, "no container asks"),
    "a volume of either": (on("HugePages", hugepages_2Mi="2Mi", hugepages_1Gi="1Gi"), MEDIUM, "several sizes"),
    "a volume of no size": (on("HugePages-4Mi", hugepages_2Mi="2Mi"), MEDIUM, "not supported"),
}


@pytest.mark.parametrize(("document", "subject", "words"), WRONG.values(), ids=WRONG)
def test_what_is_refused(document: Document, subject: str, words: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_pod(encoded(document))
    assert caught.value.subject == subject
    assert words in caught.value.message
