"""A steady load of HTTP requests on one address, without retries: what a client of a regular pod notices.

    with Load(ip, 8080) as load:
        begin = time.monotonic()
        ...
        load.stop()
        during = load.latencies_ms(begin, time.monotonic())
        assert not load.failures

The client stands for another machine, so it is a process of its own with a real-time priority: what it measures is how
long the server was kept from answering, not how long it waited for a CPU itself.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cgroups import Hierarchies, Membership

TIMEOUT_S = 5.0


class Load:
    """`clients` threads; each sends a request every `interval_s`, on a new connection, late ones at once."""

    def __init__(self, host: str, port: int, path: str = "/", *, clients: int = 4, interval_s: float = 0.005) -> None:
        self.failures: list[str] = []
        self.real_time = True
        """Whether the client got its priority; known after `stop`."""
        self._requests: list[tuple[float, float]] = []
        what = (host, str(port), path, str(clients), str(interval_s))
        self._command = [sys.executable, "-m", "tests.support.load", *what]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        root = Path(__file__).resolve().parents[2]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, cwd=root, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """No more requests; those that were sent are counted. Idempotent."""
        if self._process is not None:
            output, _ = self._process.communicate()
            self._process = None
            found = json.loads(output)
            self.failures += found["failures"]
            self.real_time = found["real_time"]
            self._requests += [(begin, end) for begin, end in found["requests"]]

    def latencies_ms(self, begin_s: float, end_s: float) -> list[float]:
        """Latencies of requests that were under way between these times (CLOCK_MONOTONIC). After `stop`."""
        return [(end - begin) * 1e3 for begin, end in self._requests if begin < end_s and end > begin_s]


def percentile(values: Sequence[float], quantile: float) -> float:
    """By the nearest rank; 0 of none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(quantile / 100 * len(ranked)) - 1)] if ranked else 0.0


class _Clients:
    def __init__(self, host: str, port: int, path: str, clients: int, interval_s: float) -> None:
        self.failures: list[str] = []
        self.requests: list[tuple[float, float]] = []
        self._address = host, port
        self._request = f"GET {path} HTTP/1.0\r\n\r\n".encode()
        self._interval_s = interval_s
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(interval_s * number / clients,)) for number in range(clients)
        ]

    def run(self) -> None:
        """Until standard input ends."""
        for thread in self._threads:
            thread.start()
        sys.stdin.read()
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _client(self, delay_s: float) -> None:
        due = time.monotonic() + delay_s
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval_s, time.monotonic())
            begin = time.monotonic()
            try:
                self._ask()
            except OSError as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            self.requests.append((begin, time.monotonic()))

    def _ask(self) -> None:
        answer = b""
        with socket.create_connection(self._address, timeout=TIMEOUT_S) as connection:
            connection.sendall(self._request)
            while part := connection.recv(4096):
                answer += part
        if b" 200 " not in answer.split(b"\r\n", 1)[0] or not answer.endswith(b"here\n"):
            raise OSError(f"the answer is {answer!r}")


def _take_priority() -> bool:
    """In the cgroup of the node's first process, for the kernel lets nobody be real-time in a v1 group below it."""
    try:
        replace(Membership.of(1), pid=os.getpid()).rejoin(Hierarchies.discover())
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError as error:
        print(f"the client has no real-time priority: {error}", file=sys.stderr)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.support.load")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("clients", type=int)
    parser.add_argument("interval_s", type=float)
    arguments = parser.parse_args()
    real_time = _take_priority()
    clients = _Clients(**vars(arguments))
    clients.run()
    json.dump({"failures": clients.failures, "requests": clients.requests, "real_time": real_time}, sys.stdout)


if __name__ == "__main__":
    main()
