"""An executor whose event loop is measured while something bad happens to it, under a real agent."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support import lag_executor
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import PROGRAM as PLAIN
from tests.support.rig import Rig, wait_for

PROGRAM = (*PLAIN[:2], "tests.support.lag_executor")
"""The program of a rig: the executor with a witness in its loop."""
P99_MS = 50.0
TRIES = 3
SLACK_S = 0.5
"""The machine's own, for everything here happens on two cores."""


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


def ask(path: Path, body: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        head = f"POST /v1/revocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
