from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.probes import Exec, Grpc, HttpGet, Probe, Probes, TcpSocket
from tests.unit.pod.samples import Document, pod, task

PORTS = [{"containerPort": 8080, "name": "web"}]
EXEC = {"exec": {"command": ["true"]}}
GRACE = "terminationGracePeriodSeconds"


def probes(**fields: Any) -> Probes:
    return parse_launch([task(pod({"ports": PORTS, **fields}))], group=False).containers[0].probes


def subject(**fields: Any) -> str:
    with pytest.raises(InvalidTask) as caught:
        probes(**fields)
    return caught.value.subject.removeprefix("spec.containers[0].")


def test_the_defaults_are_kubernetes() -> None:
    found = probes(livenessProbe=EXEC, readinessProbe=EXEC, startupProbe=EXEC)
    ending = Probe(Exec(("true",)), 0.0, 10.0, timeout_s=1.0, failure_threshold=3, fatal_failures=3)
    assert found == Probes(ending, ending, Probe(Exec(("true",))))


def test_zero_stands_for_the_default() -> None:
    numbers = dict.fromkeys(
        ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold", "successThreshold"), 0
    )
    assert probes(livenessProbe={**EXEC, **numbers}) == probes(livenessProbe=EXEC)


def test_a_grace_is_bounded_like_the_pods() -> None:
    found = probes(livenessProbe={**EXEC, GRACE: 2**63 - 1})
    assert found.liveness is not None
    assert found.liveness.grace_s == 2.0**31
    for seconds in (0, 2**63, 10**400):
        assert subject(livenessProbe={**EXEC, GRACE: seconds}) == f"livenessProbe.{GRACE}"


def test_every_number() -> None:
    numbers = {"initialDelaySeconds": 5, "timeoutSeconds": 2, "periodSeconds": 7, "failureThreshold": 4}
    found = probes(
        livenessProbe={**EXEC, **numbers, "successThreshold": 1, GRACE: 9},
        readinessProbe={**EXEC, **numbers, "successThreshold": 6},
    )
    action = Exec(("true",))
    assert found.liveness == Probe(action, 5.0, 7.0, timeout_s=2.0, failure_threshold=4, fatal_failures=4, grace_s=9.0)
    assert found.readiness == Probe(action, 5.0, 7.0, timeout_s=2.0, success_threshold=6, failure_threshold=4)


@pytest.mark.parametrize(
    ("handler", "action"),
    [
        ({"httpGet": {"port": "web", "path": "/up"}}, HttpGet(8080, "/up")),
        ({"tcpSocket": {"port": 9000}}, TcpSocket(9000)),
        ({"grpc": {"port": 9000, "service": "ready"}}, Grpc(9000, "ready")),
        ({"grpc": {"port": 9000, "service": None}}, Grpc(9000)),
    ],
)
def test_each_way_to_ask(handler: Document, action: object) -> None:
    found = probes(readinessProbe=handler).readiness
    assert found is not None and found.action == action


def test_variables_with_a_value_are_filled_into_a_command() -> None:
    env = [{"name": "PORT", "value": "80"}, {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    found = probes(env=env, livenessProbe={"exec": {"command": ["check", "$(PORT)", "$(IP)", "$$(PORT)"]}}).liveness
    assert found is not None and found.action == Exec(("check", "80", "$(IP)", "$(PORT)"))


@pytest.mark.parametrize(
    ("name", "document", "where"),
    [
        ("livenessProbe", {}, "livenessProbe"),
        ("livenessProbe", {"periodSeconds": 3}, "livenessProbe"),
        ("livenessProbe", {**EXEC, "tcpSocket": {"port": 1}}, "livenessProbe"),
        ("livenessProbe", {**EXEC, "successThreshold": 2}, "livenessProbe.successThreshold"),
        ("startupProbe", {**EXEC, "successThreshold": 2}, "startupProbe.successThreshold"),
        ("livenessProbe", {**EXEC, "periodSeconds": -1}, "livenessProbe.periodSeconds"),
        ("livenessProbe", {**EXEC, "timeoutSeconds": 1.5}, "livenessProbe.timeoutSeconds"),
        ("livenessProbe", {**EXEC, GRACE: 0}, f"livenessProbe.{GRACE}"),
        (
            "readinessProbe",
            {**EXEC, GRACE: 3},
            f"readinessProbe.{GRACE}",
        ),
        ("readinessProbe", {"grpc": {"port": "web"}}, "readinessProbe.grpc.port"),
        ("readinessProbe", {"grpc": {"port": 0}}, "readinessProbe.grpc.port"),
        ("readinessProbe", {"httpGet": {"port": "other"}}, "readinessProbe.httpGet.port"),
        ("readinessProbe", {"exec": {"command": []}}, "readinessProbe.exec.command"),
        ("readinessProbe", {**EXEC, "sleep": {"seconds": 1}}, "readinessProbe.sleep"),
    ],
)
def test_what_kubernetes_refuses_is_refused(name: str, document: Document, where: str) -> None:
    assert subject(**{name: document}) == where


def test_a_large_command_of_a_probe_is_refused() -> None:
    with pytest.raises(InvalidTask, match="larger than 131072 bytes"):
        probes(livenessProbe={"exec": {"command": ["x" * 140_000]}})


def test_the_termination_message() -> None:
    def found(**fields: Any) -> Any:
        return parse_launch([task(pod(fields))], group=False).containers[0].termination

    assert (found().path, found().fallback_to_logs) == ("/dev/termination-log", False)
    fallback = found(terminationMessagePath="/tmp/end", terminationMessagePolicy="FallbackToLogsOnError")
    assert (fallback.path, fallback.fallback_to_logs) == ("/tmp/end", True)
    for path in ("relative", "/a/../b", "/proc/x", "/"):
        assert subject(terminationMessagePath=path) == "terminationMessagePath"
    assert subject(terminationMessagePolicy="Both") == "terminationMessagePolicy"
