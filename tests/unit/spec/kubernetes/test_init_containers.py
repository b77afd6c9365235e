"""Init containers and sidecars in a Pod: what they become, what they may not have, and the resources of the pod."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import ContainerKind, ContainerSpec, PodSpec
from executor.spec.peak import peak
from tests.unit.pod.samples import pod, task

SIDECAR = {"restartPolicy": "Always"}
RULE = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}


def init(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "docker.io/library/app:1", **more}


def parsed(*before: dict[str, Any], **main: Any) -> PodSpec:
    return parse_launch([task(pod(main, initContainers=list(before)))], group=False)


def test_they_come_before_the_containers_in_their_order() -> None:
    spec = parsed(init("one"), init("proxy", **SIDECAR), init("two"))
    kinds = [(each.name, each.kind) for each in spec.containers]
    assert kinds == [
        ("one", ContainerKind.INIT),
        ("proxy", ContainerKind.SIDECAR),
        ("two", ContainerKind.INIT),
        ("app", ContainerKind.MAIN),
    ]


@pytest.mark.parametrize(
    ("before", "main", "subject"),
    [
        (init("app"), {}, "spec.containers[0].name"),
        (init("one", restartPolicy="Sometimes"), {}, "spec.initContainers[0].restartPolicy"),
        (init("one"), {"restartPolicyRules": [RULE]}, "spec.containers[0].restartPolicy"),
        (
            init("one", lifecycle={"preStop": {"exec": {"command": ["true"]}}}),
            {},
            "spec.initContainers[0].lifecycle.preStop",
        ),
        (init("one", image=""), {}, "spec.initContainers[0].image"),
    ],
)
def test_what_they_may_not_have(before: dict[str, Any], main: dict[str, Any], subject: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parsed(before, **main)
    assert caught.value.subject == subject


@pytest.mark.parametrize("codes", [{"operator": "NotIn"}, {"operator": "NotIn", "values": []}])
def test_a_restart_rule_without_values_is_accepted_as_kubernetes_does(codes: dict[str, Any]) -> None:
    """Its validation bounds their number at 255, and asks for none: each exit code is not among them."""
    rule = {"action": "Restart", "exitCodes": codes}
    (found,) = parsed(restartPolicy="Never", restartPolicyRules=[rule]).containers[0].restart_rules
    assert (found.codes, found.negated) == (frozenset(), True)


@pytest.mark.parametrize(
    ("rules", "subject"),
    [
        ([{"action": "Restart"}], "[0].exitCodes"),
        ([{"action": "Restart", "exitCodes": {"values": [1]}}], "[0].exitCodes.operator"),
        ([{"action": "Restart", "exitCodes": {"operator": "In", "values": [1] * 256}}], "[0].exitCodes.values"),
        ([RULE] * 21, ""),
    ],
)
def test_what_kubernetes_refuses_of_restart_rules(rules: list[Any], subject: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parsed(restartPolicy="Never", restartPolicyRules=rules)
    assert caught.value.subject == f"spec.containers[0].restartPolicyRules{subject}"


def test_a_sidecar_may_have_a_hook() -> None:
    hook = {"preStop": {"exec": {"command": ["drain"]}}}
    assert parsed(init("proxy", lifecycle=hook, **SIDECAR)).containers[0].hooks.pre_stop is not None


def test_resources_count_by_what_is_held_together() -> None:
    def containers(*amounts: tuple[ContainerKind, int]) -> list[ContainerSpec]:
        (one,) = parsed().containers
        return [ContainerSpec(str(amount), one.image, one.task_id, kind=kind) for kind, amount in amounts]

    def most(*amounts: tuple[ContainerKind, int]) -> int:
        return peak(containers(*amounts), lambda each: int(each.name), 0)

    INIT, SIDE, MAIN = ContainerKind.INIT, ContainerKind.SIDECAR, ContainerKind.MAIN  # noqa: N806 short for the table
    assert most((INIT, 5), (INIT, 7), (MAIN, 3), (MAIN, 3)) == 7
    assert most((INIT, 5), (MAIN, 3), (MAIN, 3)) == 6
    assert most((SIDE, 2), (INIT, 5), (SIDE, 2), (MAIN, 3)) == 7
    assert most((SIDE, 2), (INIT, 4), (SIDE, 2), (MAIN, 3)) == 7
    assert most((INIT, 4), (SIDE, 2)) == 4


def test_an_init_container_may_use_what_the_main_ones_get_later() -> None:
    limits = {"resources": {"limits": {"memory": "100Mi"}}}
    parsed(init("one", **limits), **limits)
    with pytest.raises(InvalidTask, match="memory limits are 209715200 bytes together"):
        parsed(init("proxy", **SIDECAR, **limits), **limits)
