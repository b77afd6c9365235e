"""Inputs that are made to stop the executor, under a real agent: its event loop goes on, and so does a revocation.

A witness in the executor's own loop says how late it is. Beside each input a revocation of one pod is asked for, and
must take about as long as one without.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.mesos.hostile_inputs import MESSAGES, TASKS, keys
from tests.mesos.lagging import PROGRAM, Node, ask
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

METRICS_PORT = 19115


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(program=PROGRAM, config={"CONTROL_METRICS_PORT": str(METRICS_PORT)}) as found:
        yield found


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="hostile") as framework:
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.fixture(scope="module")
def node(rig: Rig, scheduler: Scheduler) -> Node:
    return Node(rig, scheduler)


def test_nothing_in_particular(node: Node) -> None:
    node.judge("nothing", lambda _: None, lambda _: time.sleep(1))


@pytest.mark.parametrize("name", TASKS)
def test_tasks(node: Node, name: str) -> None:
    def ids(number: int) -> list[str]:
        return [f"{task['name']}.{number}" for task in TASKS[name]]

    def send(number: int) -> None:
        tasks = [{**task, "task_id": {"value": f"{task['name']}.{number}"}} for task in TASKS[name]]
        node.scheduler.launch(tasks, node.rig.executor())

    def ended(number: int) -> None:
        for task in ids(number):
            end = node.scheduler.wait_status(task, TERMINAL, 60)
            assert (end.state, end.reason) == ("TASK_FAILED", "REASON_TASK_INVALID"), end
            assert len(end.message) < 4096

    node.judge(name, send, ended)


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(node: Node, name: str) -> None:
    start = len(node.scheduler.events)

    def send(_: int) -> None:
        for data in MESSAGES[name]:
            node.scheduler.message(node.agent, "mixed", data)

    def ended(number: int) -> None:
        def answered() -> bool | None:
            answers = sum(b'"error"' in data for data in node.scheduler.messages(start=start))
            return answers >= len(MESSAGES[name]) * (number + 1) or None

        assert wait_for(answered, 60)

    node.judge(name, send, ended)


UPDATES, KEYS = 40, 600


def test_updates_of_a_large_config_map(rig: Rig, node: Node) -> None:
    """As many as a framework likes to send, for as many files as a pod may have."""

    def settings(value: str) -> dict[str, Any]:
        data = {f"k{number}": value for number in range(KEYS)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}

    launched = rig.pod("updated")
    manifest = json.loads(base64.b64decode(launched["data"]))
    volumes = [{"name": f"v{number}", "configMap": {"name": "settings"}} for number in range(3)]
    manifest["spec"]["volumes"] = volumes
    manifest["spec"]["containers"][0]["volumeMounts"] = [
        {"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes
    ]
    both = {"apiVersion": "v1", "kind": "List", "items": [manifest, settings("0")]}
    launched["data"] = base64.b64encode(json.dumps(both).encode()).decode()
    node.scheduler.launch([launched], rig.executor())
    node.scheduler.wait_status("updated", "TASK_RUNNING", 30)
    start = len(node.scheduler.events)

    def send(number: int) -> None:
        for at in range(UPDATES):
            update = {"id": f"u-{at}", "task": "updated", "objects": [settings(f"{number}-{at}")]}
            node.scheduler.message(node.agent, "mixed", json.dumps({"update": update}).encode())

    def ended(number: int) -> None:
        def answered() -> bool | None:
            answers = [json.loads(data) for data in node.scheduler.messages(start=start)]
            updated = [each for each in answers if each.get("updated", {}).get("volumes") == ["v0", "v1", "v2"]]
            return len(updated) >= UPDATES * (number + 1) or None

        assert wait_for(answered, 60)

    node.judge("updates", send, ended)


BODIES = {"deep body": b"[" * 1_000_000, "many values": b"[" + b"1," * 500_000 + b"1]", "keys": keys(80_000)}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_the_control_socket(node: Node, name: str) -> None:
    def send(_: int) -> None:
        answers = [ask(node.socket, BODIES[name]) for _ in range(3)]
        assert all(b" 400 " in answer.partition(b"\r\n")[0] for answer in answers)

    node.judge(name, send, lambda _: None)


SCRAPERS = 8


def scrape(ending: threading.Event) -> None:
    """As any user of the machine can, and a pod in the network of the node."""
    while not ending.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", METRICS_PORT), 5) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while connection.recv(1 << 20):
                pass


def test_scrapes_without_a_pause(node: Node) -> None:
    with ThreadPoolExecutor(SCRAPERS) as threads:
        ending = threading.Event()

        def ended(_: int) -> None:
            time.sleep(2)
            ending.set()

        def send(_: int) -> None:
            ending.clear()
            for _ in range(SCRAPERS):
                threads.submit(scrape, ending)

        try:
            node.judge("scrapes", send, ended)
        finally:
            ending.set()


def test_memory(rig: Rig, node: Node) -> None:
    """At its peak, of all inputs above; without them it is about 65 MiB."""
    (owner,) = rig.run_dir.glob("*.owner")
    status = Path(f"/proc/{json.loads(owner.read_text())['pid']}/status").read_text()
    (peak_kib,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
    print(f"peak of the executor: {peak_kib / 1024:.0f} MiB")
    assert peak_kib < 192 << 10
    assert node.scheduler.states("fine")[-1] == "TASK_RUNNING"
