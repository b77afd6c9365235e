"""Mesos' v1 HTTP interfaces on the wire: JSON calls, RecordIO event streams (docs/scheduler-http-api.md). Blocking."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

Message = dict[str, Any]
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class CallError(Exception):
    """Mesos answered with neither 200 nor 202; `status` is the HTTP status, `body` its explanation."""

    def __init__(self, call: str, status: int, body: str) -> None:
        self.status, self.body = status, body
        super().__init__(f"{call}: HTTP {status}: {body}")


class Records:
    """RecordIO: each record is its length in decimal, a newline, then that many bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while (newline := self._buffer.find(b"\n")) >= 0:
            end = newline + 1 + int(self._buffer[:newline])
            if len(self._buffer) < end:
                return
            record = bytes(self._buffer[newline + 1 : end])
            del self._buffer[:end]
            yield record


class Connection:
    """Calls over one connection that is kept open and reopened when the other side has closed it. Not thread-safe."""

    def __init__(self, address: str, path: str, *, timeout_s: float = 20.0) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=timeout_s)
        self._path = path

    def call(self, message: Message, headers: Mapping[str, str] | None = None) -> Message:
        """The answer's JSON, or `{}` of a 202; raises CallError, OSError or http.client.HTTPException."""
        body = json.dumps(message)
        try:
            response = self._send(body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            response = self._send(body, headers)
        text = response.read().decode()
        if response.status not in (200, 202):
            raise CallError(str(message.get("type")), response.status, text)
        return json.loads(text) if text.startswith("{") else {}

    def _send(self, body: str, headers: Mapping[str, str] | None) -> http.client.HTTPResponse:
        self._connection.request("POST", self._path, body, {**_JSON, **(headers or {})})
        return self._connection.getresponse()

    def close(self) -> None:
        self._connection.close()


def call(address: str, path: str, message: Message, headers: Mapping[str, str] | None = None) -> Message:
    with contextlib.closing(Connection(address, path)) as connection:
        return connection.call(message, headers)


class Stream:
    """A subscription: iterate over its events; `close` from another thread ends the iteration."""

    def __init__(self, address: str, path: str, subscribe: Message) -> None:
        self._connection = http.client.HTTPConnection(address)
        self._connection.request("POST", path, json.dumps(subscribe), _JSON)
        assert self._connection.sock is not None
        self._socket: socket.socket = self._connection.sock
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            body = self._response.read().decode()
            self._connection.close()
            raise CallError("SUBSCRIBE", self._response.status, body)
        self.stream_id = self._response.getheader("Mesos-Stream-Id", "")

    @property
    def headers(self) -> dict[str, str]:
        """What further calls of this subscriber must carry."""
        return {"Mesos-Stream-Id": self.stream_id} if self.stream_id else {}

    def __iter__(self) -> Iterator[Message]:
        records = Records()
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # how a broken stream ends
            while data := self._response.read1(1 << 16):
                for record in records.feed(data):
                    yield json.loads(record)
        self._response.close()
        self._connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
