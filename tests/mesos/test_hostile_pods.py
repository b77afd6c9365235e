"""Pods whose processes do what could stop an executor: the event loop goes on, and so does a revocation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesos.lagging import PROGRAM, Node
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS, MESSAGE_S = 6, 3.0
FOREVER = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")
INFORMATIONAL = (
    """p=$(printf 'HTTP/1.1 100 Continue\\r\\n\\r'); while :; do yes "$p" | nc -l -p 8080 >/dev/null; done"""
)
FLOODS: dict[str, dict[str, Any]] = {
    "a probe that prints without an end": {
        "command": FOREVER,
        "livenessProbe": {
            "exec": {"command": ["yes"]},
            "timeoutSeconds": 2,
            "periodSeconds": 1,
            "failureThreshold": 90,
        },
    },
    "an endless HTTP answer": {
        "command": ["sh", "-c", INFORMATIONAL],
        "livenessProbe": {
            "httpGet": {"path": "/", "port": 8080},
            "timeoutSeconds": 2,
            "periodSeconds": 1,
            "failureThreshold": 90,
        },
    },
    "output without an end": {"command": ["sh", "-c", "yes & yes >&2"]},
    "output without a line": {"command": ["sh", "-c", "while :; do printf x; done"]},
    "a long last message": {
        "command": ["sh", "-c", "head -c 50000000 /dev/zero | tr '\\0' x >/dev/termination-log; exit 1"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    },
    "processes that come and go": {"command": ["sh", "-c", "while :; do true & sleep 0.001; done"]},
    "groups and files": {
        "command": ["sh", "-c", "n=0; while :; do mkdir -p /d/$n; echo x >/d/$n/f; n=$((n+1)); done"],
    },
}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Rig(program=PROGRAM) as rig:
        with rig.scheduler(name="pods") as scheduler:
            yield Node(rig, scheduler)
        assert not any((leaks := rig.wait_clean(30)).values()), leaks


@pytest.mark.parametrize("name", FLOODS)
def test_pods(node: Node, name: str) -> None:
    def names(number: int) -> list[str]:
        return [f"{name.replace(' ', '-').lower()}-{number}-{at}" for at in range(PODS)]

    def send(number: int) -> None:
        pods = [node.rig.pod(pod, container=FLOODS[name], cpus=0.01) for pod in names(number)]
        node.scheduler.launch(pods, node.rig.executor())
        for pod in names(number):
            node.scheduler.wait_status(pod, "TASK_RUNNING", 60)

    def ended(number: int) -> None:
        time.sleep(MESSAGE_S)
        for pod in names(number):
            node.scheduler.kill(pod, grace_s=0)
        for pod in names(number):
            end = node.scheduler.wait_status(pod, ("TASK_KILLED", "TASK_FAILED"), 60)
            assert len(end.message) < 16 << 10, len(end.message)

    node.judge(name, send, ended)
