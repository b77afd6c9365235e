"""The configuration of roles: limits as they are written, whom they hold for, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from executor.config import load
from executor.config.role_limit import RoleLimit
from executor.errors import InvalidConfig, InvalidTask, Refused
from executor.mesos.resources import Resources
from executor.names import PodClass, Role
from executor.spec import roles
from executor.spec.model import ContainerSpec, Limits, PodSpec

GIB = 1 << 30
LIMITS = {"eng": RoleLimit(4.0, 8 * GIB), "eng/dev": RoleLimit(6.0, GIB), "ops": RoleLimit(mem_bytes=2 * GIB)}


def spec(role: str, *, namespace: str = "default", mem_bytes: int = 0, cpus: float | None = None) -> PodSpec:
    container = ContainerSpec("app", "image", task_id="t", limits=Limits(cpus=cpus))  # type: ignore[arg-type]
    resources = Resources(cpus=1.0, mem_bytes=mem_bytes)
    return PodSpec(("t",), "web", namespace, "u", PodClass.REGULAR, Role(role), (container,), resources)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"cpus": 4, "mem": "8Gi"}, RoleLimit(4.0, 8 * GIB)),
        ({"cpus": 0.5}, RoleLimit(0.5)),
        ({"mem": 1048576}, RoleLimit(None, 1048576)),
        ("cpus:4;mem:8Gi", RoleLimit(4.0, 8 * GIB)),
        (" mem : 1Gi ", RoleLimit(None, GIB)),
        ("cpus:500m", RoleLimit(0.5)),
    ],
)
def test_limits_as_they_are_written(value: Any, expected: RoleLimit) -> None:
    assert RoleLimit.of(value) == expected
    assert RoleLimit.of(str(expected)) == expected


@pytest.mark.parametrize(
    "value", [{}, "", "cpus", "cpus:", "disk:4", 4, True, ["cpus"], {"cpus": True}, {"cpus": 0}, {"mem": -1}, "mem:0"]
)
def test_what_is_no_limit(value: Any) -> None:
    with pytest.raises(ValueError, match="a limit"):
        RoleLimit.of(value)


def test_limits_from_a_file_and_from_a_variable() -> None:
    text = '[roles.limits]\neng = {cpus = 4, mem = "8Gi"}\n"eng/dev" = {cpus = 1}\n'
    assert load(text, {}).roles.limits == {"eng": RoleLimit(4.0, 8 * GIB), "eng/dev": RoleLimit(1.0)}
    environ = {"MESOS_POD_EXECUTOR_ROLES_LIMITS": "eng=cpus:4;mem:8Gi,*=mem:1Gi"}
    assert load(None, environ).roles.limits == {"eng": RoleLimit(4.0, 8 * GIB), "*": RoleLimit(None, GIB)}


@pytest.mark.parametrize(
    "text", ["eng = 4", "eng = {cpu = 4}", '"eng/" = {cpus = 4}', '"-a" = {cpus = 4}', '"" = {cpus = 1}']
)
def test_a_file_with_what_is_no_limit_or_no_role_names_the_key(text: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(f"[roles.limits]\n{text}\n", {})
    assert "roles.limits" in caught.value.subject


def test_a_role_has_its_own_limit_and_those_above_it() -> None:
    dev = [("eng", RoleLimit(4.0, 8 * GIB)), ("eng/dev", RoleLimit(4.0, GIB))]
    assert list(roles.effective(LIMITS, "eng/dev")) == dev
    assert list(roles.effective(LIMITS, "eng/dev/deep")) == dev
    assert list(roles.effective(LIMITS, "engine")) == []
    assert [roles.cpus_of(LIMITS, role) for role in ("eng/dev", "ops", "*")] == [4.0, None, None]


def test_a_pod_of_another_roles_namespace_is_refused() -> None:
    with pytest.raises(InvalidTask, match="namespace prod belong to the role eng") as caught:
        roles.check({"prod": "eng"}, {}, spec("dev", namespace="prod"))
    assert caught.value.subject == "metadata.namespace"
    roles.check({"prod": "eng"}, {}, spec("eng", namespace="prod"))
    roles.check({"prod": "eng"}, {}, spec("dev", namespace="test"))


def test_a_pod_that_can_never_fit_is_refused() -> None:
    with pytest.raises(Refused, match=r"role ops: asks for .* bytes of memory"):
        roles.check({}, LIMITS, spec("ops", mem_bytes=2 * GIB + 1))
    with pytest.raises(Refused, match=r"5 cpus in one container, but .* no more than 4 cpus"):
        roles.check({}, LIMITS, spec("eng/dev", cpus=5.0))
    roles.check({}, LIMITS, replace(spec("eng"), resources=Resources(cpus=64.0, mem_bytes=8 * GIB)))
