"""Sends the traces of launches to a receiver of OTLP over HTTP. Owns one thread.

A launch never waits for it: traces wait in a bounded queue, and what a receiver does not take within some tries, or
has no place in the queue, is lost and counted (traces.lost).
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlsplit

from executor.errors import reason
from executor.log import get_logger
from executor.traces import otlp
from executor.traces.spans import Launch, Trace

log = get_logger(__name__)

QUEUE_MAX: Final = 1000
LAUNCHES_MAX: Final = 10_000
BATCH_MAX: Final = 100
TRIES: Final = 3
ANSWER_S: Final = 5.0
_PAUSE_S: Final = 1.0
_END_S: Final = 3.0
_PATH: Final = "/v1/traces"
_TAKEN, _BUSY = 200, frozenset({429, 502, 503, 504})


@contextmanager
def exporting(endpoint: str, resource: Mapping[str, str]) -> Iterator[Exporter]:
    """Sends while the block runs, and for some seconds more what still waits."""
    exporter = Exporter(endpoint, resource)
    exporter.start()
    try:
        yield exporter
    finally:
        exporter.close()


class Exporter:
    """`append` is a sink of the log."""

    def __init__(self, endpoint: str, resource: Mapping[str, str]) -> None:
        self._endpoint, self._resource = urlsplit(endpoint), dict(resource)
        self._launches: dict[str, Launch] = {}
        self._queue: deque[Trace] = deque()
        self._changed = threading.Condition()
        self._lost = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what waits, for _END_S at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_END_S)

    def append(self, record: Mapping[str, Any]) -> None:
        """Follow an event of a pod."""
        pod, at_s = str(record.get("pod", "")), time.time()
        if not pod or "code" not in record:
            return
        with self._changed:
            if record["code"] == "pod.accepted":
                if len(self._launches) < LAUNCHES_MAX:
                    self._launches[pod] = Launch(dict(record), at_s)
            elif (launch := self._launches.get(pod)) and (trace := launch.follow(record, at_s)):
                del self._launches[pod]
                self._put(trace)

    def _put(self, trace: Trace) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._lost += 1
        else:
            self._queue.append(trace)
        self._changed.notify()

    def _run(self) -> None:
        while batch := self._next():
            error = self._send(batch)
            with self._changed:
                lost, self._lost = self._lost + (len(batch) if error else 0), 0
            if lost:
                message = error or "too many launches at a time"
                log.warning("traces were lost", code="traces.lost", count=lost, error=message)

    def _next(self) -> list[Trace]:
        """Waits for the first one. Empty at the end."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]

    def _send(self, batch: list[Trace]) -> str:
        """Why the receiver has not taken it; empty if it has."""
        body = json.dumps(otlp.request(batch, self._resource, token_hex)).encode()
        error = ""
        for attempt in range(TRIES):
            if attempt and not self._closing:
                time.sleep(_PAUSE_S * 2**attempt)
            try:
                status = self._post(body)
            except (OSError, http.client.HTTPException) as failure:
                error = reason(failure) if isinstance(failure, OSError) else f"no HTTP: {failure!r}"
                continue
            if status == _TAKEN:
                return ""
            error = f"HTTP status {status}"
            if status not in _BUSY:
                return error
        return error

    def _post(self, body: bytes) -> int:
        where = self._endpoint
        host, port = where.hostname or "", where.port
        connection: http.client.HTTPConnection
        if where.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
        try:
            path = where.path if where.path.strip("/") else _PATH
            connection.request("POST", path, body, {"content-type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()
