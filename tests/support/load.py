"""A steady load of HTTP requests on one address, without retries: what a client of a regular pod notices.

with Load(ip, 8080) as load:
    before = load.window()
    ...
    during = load.window()
    assert not load.failures
"""

from __future__ import annotations

import http.client
import math
import threading
import time
from types import TracebackType
from typing import Self

TIMEOUT_S = 5.0


class Load:
    """`clients` threads; each sends a request every `interval_s`, on a new connection, late ones at once."""

    def __init__(self, host: str, port: int, *, clients: int = 4, interval_s: float = 0.02) -> None:
        self.failures: list[str] = []
        self._address = host, port
        self._interval_s = interval_s
        self._latencies_ms: list[float] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S + 1)

    def window(self) -> list[float]:
        """Latencies in ms of the requests that ended since the last call."""
        taken, self._latencies_ms = self._latencies_ms, []
        return taken

    def _client(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval_s, time.monotonic())
            begin = time.monotonic()
            try:
                self._ask()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            else:
                self._latencies_ms.append((time.monotonic() - begin) * 1e3)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            if answer.status != 200 or answer.read() != b"here\n":
                raise http.client.HTTPException(f"status {answer.status}")
        finally:
            connection.close()


def percentile(values: list[float], quantile: float) -> float:
    """By the nearest rank; 0 of none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(quantile / 100 * len(ranked)) - 1)] if ranked else 0.0
