from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.probes import Exec, HttpGet, Probe, Probes, TcpSocket
from tests.unit.pod.samples import FULL_MESOS_TASK, Document, pod, task


def probes(**fields: Any) -> Probes:
    return parse_launch([{**FULL_MESOS_TASK, **fields}], group=False).containers[0].probes


def subject(**fields: Any) -> str:
    with pytest.raises(InvalidTask) as caught:
        probes(**fields)
    return caught.value.subject


def test_the_defaults_are_those_of_mesos() -> None:
    found = probes(health_check={"type": "TCP", "tcp": {"port": 80}}, check={"type": "HTTP", "http": {"port": 80}})
    health = Probe(
        TcpSocket(80, loopback="127.0.0.1"), 15.0, 10.0, period_from_end=True, timeout_s=20.0,
        failure_threshold=1, fatal_failures=3, ignore_failures_s=10.0,
    )  # fmt: skip
    check = Probe(HttpGet(80, loopback="127.0.0.1"), 15.0, 10.0, period_from_end=True, timeout_s=20.0)
    assert found == Probes(health=health, check=check)


def test_every_number() -> None:
    timings = {"delay_seconds": 0.5, "interval_seconds": 0.0, "timeout_seconds": 0.0}
    found = probes(
        health_check={
            "type": "HTTP",
            "http": {"port": 80, "path": "/up", "scheme": "https", "protocol": "IPv6"},
            **timings,
            "consecutive_failures": 0,
            "grace_period_seconds": 0.0,
        }
    ).health
    assert found is not None
    assert found.action == HttpGet(80, "/up", tls=True, loopback="::1")
    assert (found.initial_delay_s, found.period_s, found.timeout_s) == (0.5, 0.1, None)
    assert (found.fatal_failures, found.ignore_failures_s) == (1, 0.0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({"value": "exit $CODE"}, ("/bin/sh", "-c", "exit $CODE")),
        ({"value": "/check", "shell": False, "arguments": ["check", "-q"]}, ("/check", "-q")),
    ],
)
def test_commands(command: Document, words: tuple[str, ...]) -> None:
    environment = {"variables": [{"name": "CODE", "value": "3"}]}
    found = probes(
        health_check={"type": "COMMAND", "command": {**command, "environment": environment}},
        check={"type": "COMMAND", "command": {"command": {**command, "environment": environment}}},
    )
    assert found.health is not None and found.check is not None
    assert found.health.action == found.check.action == Exec(words, (("CODE", "3"),))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"check": {"type": "TCP"}}, "check.tcp"),
        ({"check": {"type": "HTTP", "tcp": {"port": 1}}}, "check.http"),
        ({"check": {"tcp": {"port": 1}}}, "check.type"),
        ({"check": {"type": "UNKNOWN"}}, "check.type"),
        ({"check": {"type": "HTTP", "http": {"port": 1, "path": "up"}}}, "check.http.path"),
        ({"check": {"type": "TCP", "tcp": {"port": 0}}}, "check.tcp.port"),
        ({"check": {"type": "TCP", "tcp": {"port": 1}, "delay_seconds": -1.0}}, "check.delay_seconds"),
        ({"check": {"type": "COMMAND", "command": {"command": {}}}}, "check.command.command.value"),
        ({"health_check": {"type": "COMMAND", "command": {"shell": False}}}, "health_check.command.value"),
        ({"health_check": {"type": "HTTP", "http": {"port": 1, "scheme": "ftp"}}}, "health_check.http.scheme"),
    ],
)
def test_what_mesos_refuses_is_refused(fields: Document, where: str) -> None:
    assert subject(**fields) == f"TaskInfo.{where}"


@pytest.mark.parametrize("field", ["check", "health_check"])
def test_a_pod_in_the_data_has_probes_of_its_own(field: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_launch([{**task(pod()), field: {"type": "TCP", "tcp": {"port": 1}}}], group=False)
    assert caught.value.subject == f"TaskInfo.{field}"
