"""Inputs that are made to stop the executor, under a real agent: its event loop goes on, and so does a revocation.

A witness in the executor's own loop says how late it is. Beside each input a revocation of one pod is asked for, and
must take about as long as one without.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.mesos.hostile_inputs import MESSAGES, TASKS, keys
from tests.support import lag_executor
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import PROGRAM, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

P99_MS = 50.0
TRIES = 3
SLACK_S = 0.5
"""The machine's own, for everything here happens on two cores."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(program=(*PROGRAM[:2], "tests.support.lag_executor")) as found:
        yield found


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="hostile") as framework:
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


class Node:
    """An executor with one regular pod, and how long its revocations take."""

    def __init__(self, rig: Rig, scheduler: Scheduler) -> None:
        self.rig, self.scheduler = rig, scheduler
        self.agent = scheduler.launch([rig.pod("fine")], rig.executor())
        scheduler.wait_status("fine", "TASK_RUNNING", 30)
        self.lags = rig.agent.sandbox(scheduler.framework_id, "mixed") / lag_executor.FILE
        (self.socket,) = rig.run_dir.glob("*.sock")
        self._victims = 0
        self.revocation_s = max(self._revoked_s(self._victim()) for _ in range(3))

    def _victim(self) -> str:
        name = f"victim-{self._victims}"
        self._victims += 1
        self.scheduler.launch([self.rig.pod(name, revocable=True)], self.rig.executor())
        self.scheduler.wait_status(name, "TASK_RUNNING", 30)
        return name

    def _revoked_s(self, task: str) -> float:
        """From the request to its receipt, over the control socket: what comes by Mesos waits for Mesos."""
        begin = time.monotonic()
        answer = ask(self.socket, json.dumps({"id": task, "select": {"tasks": [task]}, "grace": 0}).encode())
        assert b'"state": "done"' in answer
        return time.monotonic() - begin

    def during(self, send: Callable[[], object], ended: Callable[[], object]) -> tuple[list[float], float]:
        """Lags of the loop in ms, and how long a revocation took that was asked for right after `send`."""
        victim, begin_s = self._victim(), time.time()
        send()
        took_s = self._revoked_s(victim)
        ended()
        end_s = max(time.time(), begin_s + 1)
        wait_for(lambda: lag_executor.lags_ms(self.lags, end_s, end_s + 60) or None, 30)
        return lag_executor.lags_ms(self.lags, begin_s, end_s), took_s

    def judge(self, name: str, send: Callable[[int], object], ended: Callable[[int], object]) -> None:
        """`send` and `ended` get the number of the try: other load of the machine spoils one, a defect all of them."""
        for number in range(TRIES):
            lags, took_s = self.during(partial(send, number), partial(ended, number))
            p50_ms, p99_ms, count = sorted(lags)[len(lags) // 2], lag_executor.p99_ms(lags), len(lags)
            print(f"{name}: lag p50 {p50_ms:.1f} p99 {p99_ms:.1f} max {max(lags):.1f} ms of {count};", end=" ")
            print(f"revocation {took_s * 1e3:.0f} ms, {self.revocation_s * 1e3:.0f} without")
            if p99_ms < P99_MS and took_s < self.revocation_s + SLACK_S:
                break
        else:
            pytest.fail(f"{name}: p99 {p99_ms:.1f} ms, a revocation took {took_s:.3f} s")
        assert self.scheduler.states("fine")[-1] == "TASK_RUNNING"


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


BODIES = {"deep body": b"[" * 1_000_000, "many values": b"[" + b"1," * 500_000 + b"1]", "keys": keys(80_000)}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_the_control_socket(node: Node, name: str) -> None:
    def send(_: int) -> None:
        answers = [ask(node.socket, BODIES[name]) for _ in range(3)]
        assert all(b" 400 " in answer.partition(b"\r\n")[0] for answer in answers)

    node.judge(name, send, lambda _: None)


def ask(path: Path, body: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        head = f"POST /v1/revocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
