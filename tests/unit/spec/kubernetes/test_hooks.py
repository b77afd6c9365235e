from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import ContainerSpec
from executor.spec.probes import Exec, Hooks, HttpGet, Sleep, TcpSocket
from tests.unit.pod.samples import Document, pod, task

PORTS = [{"containerPort": 8080, "name": "web"}]


def container(**fields: Any) -> ContainerSpec:
    return parse_launch([task(pod({"ports": PORTS, **fields}))], group=False).containers[0]


def fault(**fields: Any) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        container(**fields)
    return caught.value


@pytest.mark.parametrize(
    ("handler", "hook"),
    [
        ({"exec": {"command": ["sh", "-c", "$(A) drain"]}}, Exec(("sh", "-c", "$(A) drain"))),
        ({"httpGet": {"port": "web"}}, HttpGet(8080)),
        (
            {"httpGet": {"port": 1, "path": "/x?y", "scheme": "HTTPS", "httpHeaders": [{"name": "A", "value": " b "}]}},
            HttpGet(1, "/x?y", tls=True, headers=(("A", "b"),)),
        ),
        ({"tcpSocket": {"port": "9", "host": "[::1]"}}, TcpSocket(9, "::1")),
        ({"sleep": {"seconds": 5}}, Sleep(5.0)),
    ],
)
def test_each_way_of_a_hook(handler: Document, hook: object) -> None:
    assert container(lifecycle={"preStop": handler}).hooks == Hooks(pre_stop=hook)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("handler", "subject"),
    [
        ({}, ""),
        ({"exec": {"command": ["x"]}, "sleep": {"seconds": 1}}, ""),
        ({"exec": {}}, ".exec.command"),
        ({"exec": {"command": [""]}}, ".exec.command"),
        ({"httpGet": {}}, ".httpGet.port"),
        ({"httpGet": {"port": "admin"}}, ".httpGet.port"),
        ({"httpGet": {"port": ""}}, ".httpGet.port"),
        ({"httpGet": {"port": 0}}, ".httpGet.port"),
        ({"httpGet": {"port": "65536"}}, ".httpGet.port"),
        ({"httpGet": {"port": True}}, ".httpGet.port"),
        ({"httpGet": {"port": 1, "scheme": "FTP"}}, ".httpGet.scheme"),
        ({"httpGet": {"port": 1, "path": "/a\r\nX: y"}}, ".httpGet.path"),
        ({"httpGet": {"port": 1, "host": "a/b@c"}}, ".httpGet.host"),
        ({"httpGet": {"port": 1, "httpHeaders": [{"name": "A B", "value": ""}]}}, ".httpGet.httpHeaders[0].name"),
        ({"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": "b\n"}]}}, ".httpGet.httpHeaders[0].value"),
        ({"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": "b" * 20_000}]}}, ".httpGet.httpHeaders"),
        ({"sleep": {"seconds": 31}}, ".sleep.seconds"),
        ({"sleep": {"seconds": -1}}, ".sleep.seconds"),
        ({"tcpSocket": {"port": 1 << 70}}, ".tcpSocket.port"),
    ],
)
def test_a_hook_that_cannot_work_is_refused(handler: Document, subject: str) -> None:
    assert fault(lifecycle={"preStop": handler}).subject == f"spec.containers[0].lifecycle.preStop{subject}"


def test_an_unknown_name_of_a_port_is_answered_with_the_known_ones() -> None:
    assert "web" in fault(lifecycle={"preStop": {"tcpSocket": {"port": "wbe"}}}).hint


@pytest.mark.parametrize(("text", "number"), [("SIGUSR1", 10), ("RTMIN+3", 37), ("9", 9), ("", None)])
def test_the_stop_signal(text: str, number: int | None) -> None:
    assert container(lifecycle={"stopSignal": text}).stop_signal == number


def test_what_is_no_signal_is_refused() -> None:
    assert fault(lifecycle={"stopSignal": "SIGBOGUS"}).subject == "spec.containers[0].lifecycle.stopSignal"
