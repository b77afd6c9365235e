"""One connection to the control socket: HTTP/1.1 by h11, JSON in and out, streams as JSON lines.

A client can be slow, send garbage or hang up at any point; the worst it can reach is the end of its own connection.
Every wait on it has a limit. Handlers are not cut off when their client hangs up (a revocation goes on); streams are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import h11

from executor import bounded_json
from executor.control.socket import Peer

JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonl"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. `receive_s` is for a whole request, idle time before it included; `send_s` for each
    piece.
    """

    connections: int = 32
    header_bytes: int = 16 << 10
    body_bytes: int = 1 << 20
    receive_s: float = 30.0
    send_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """`body` is the decoded JSON, None without one; `parameters` are the named parts of the route's pattern."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    peer: Peer
    parameters: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    """To which name the client has addressed it."""


@dataclass(frozen=True, slots=True)
class Response:
    """`body` becomes JSON; a text is sent as it is, under `content_type`. `headers` are further ones."""

    body: Any
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """Objects sent as JSON lines as they come, until there are no more or the client hangs up; then it is closed."""

    lines: AsyncGenerator[Mapping[str, Any], None]


Answer = Callable[[Request], Awaitable[Response | Stream]]
"""Never raises: errors are Responses."""


def failure(status: int, message: str, *, subject: str = "", hint: str = "") -> Response:
    """The response to a request that failed: schema/error.json."""
    return Response({"error": {"message": message, "subject": subject, "hint": hint}}, status=status)


class _UnacceptableError(Exception):
    """The request cannot be handled; the connection ends with this response."""

    def __init__(self, status: int, message: str) -> None:
        self.response = failure(status, message)
        super().__init__(message)


class Connection:
    """`run` serves one client until it goes, is too slow, or errs; what it raises is a defect."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer, limits: Limits) -> None:
        self._reader = reader
        self._writer = writer
        self._peer = peer
        self._limits = limits
        self.is_waiting = True
        """For its client to send a request or the rest of one, or to hang up after a refusal: nothing is lost where it
        ends now.
        """
        writer.transport.set_write_buffer_limits(high=0)  # drain() then means: all of it is with the kernel
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)

    async def run(self, answer: Answer) -> None:
        """Serve requests until the client goes, is too slow, or errs."""
        try:
            while await self._serve_one(answer):
                self._http.start_next_cycle()
            self._writer.close()
        except (OSError, h11.LocalProtocolError):
            pass  # the client hung up, or (TimeoutError) stopped reading
        finally:
            self.abort()  # nothing after close(), for every write was drained to the last byte

    def abort(self) -> None:
        """Cut the client off."""
        self._writer.transport.abort()

    async def refuse(self, status: int, message: str) -> None:
        """Answers any request with an error, and ends."""
        with contextlib.suppress(OSError, h11.LocalProtocolError):
            await self._send_last(failure(status, message))
        self.abort()

    async def _serve_one(self, answer: Answer) -> bool:
        """True if another request may follow on this connection."""
        try:
            request = await self._receive()
        except _UnacceptableError as unacceptable:
            await self._send_last(unacceptable.response)
            return False
        if request is None:
            return False
        self.is_waiting = False
        result = await answer(request)
        if isinstance(result, Stream):
            await self._send_stream(result)
        else:
            await self._send(result, bodyless=request.method == "HEAD")
        self.is_waiting = True
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _receive(self) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.receive_s):
                while not isinstance(event := await self._next_event(), h11.EndOfMessage):
                    if isinstance(event, h11.ConnectionClosed):
                        return None
                    if isinstance(event, h11.Request):
                        head = event
                    elif isinstance(event, h11.Data):
                        body += event.data
                        if len(body) > self._limits.body_bytes:
                            raise _UnacceptableError(413, f"the body is larger than {self._limits.body_bytes} bytes")
        except TimeoutError:
            if head is None and self._http.their_state is h11.IDLE and not self._http.trailing_data[0]:
                return None
            raise _UnacceptableError(408, f"no whole request within {self._limits.receive_s:g} s") from None
        except h11.RemoteProtocolError as error:
            raise _UnacceptableError(error.error_status_hint, f"not a valid request: {error}") from error
        return self._decode(head, bytes(body)) if head else None

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if not isinstance(event, type):
                return event
            if event is h11.PAUSED:
                raise _UnacceptableError(400, "another request came before this one was answered")
            if self._http.they_are_waiting_for_100_continue:
                await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            self._http.receive_data(await self._reader.read(64 << 10))

    def _decode(self, head: h11.Request, body: bytes) -> Request:
        try:
            url = urlsplit(head.target.decode("ascii"))
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            decoded = bounded_json.loads(body) if body else None
        except ValueError as error:
            raise _UnacceptableError(400, f"not valid: {error}") from error
        host = next((value for name, value in head.headers if name == b"host"), b"").decode("latin-1")
        return Request(head.method.decode("ascii"), url.path, query, decoded, self._peer, host=host)

    async def _send_last(self, response: Response) -> None:
        """Answers, and reads on until the client has read it: closing over unread data would reset the connection."""
        await self._send(response, close=True)
        self._writer.write_eof()
        async with asyncio.timeout(self._limits.send_s):
            while await self._reader.read(64 << 10):
                pass

    async def _send(self, response: Response, *, close: bool = False, bodyless: bool = False) -> None:
        text = response.body if isinstance(response.body, str) else json.dumps(response.body, default=str) + "\n"
        data = text.encode()
        headers = [("content-type", response.content_type), ("content-length", str(len(data)))]
        headers += response.headers.items()
        if close:
            headers.append(("connection", "close"))
        status = HTTPStatus(response.status)
        head = h11.Response(status_code=status, reason=status.phrase, headers=headers)
        events: list[h11.Event] = [head, h11.EndOfMessage()] if bodyless else [head, h11.Data(data), h11.EndOfMessage()]
        await self._write(*(self._http.send(event) for event in events))

    async def _send_stream(self, stream: Stream) -> None:
        await self._write(self._http.send(h11.Response(status_code=200, headers=[("content-type", JSON_LINES)])))
        hung_up = asyncio.ensure_future(self._reader.read(1))
        pump = asyncio.ensure_future(self._pump(stream))
        try:
            await asyncio.wait((pump, hung_up), return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                await pump
                await self._write(self._http.send(h11.EndOfMessage()))
        finally:
            for task in (pump, hung_up):
                task.cancel()
            await asyncio.gather(pump, hung_up, return_exceptions=True)

    async def _pump(self, stream: Stream) -> None:
        async with contextlib.aclosing(stream.lines) as lines:
            async for line in lines:
                await self._write(self._http.send(h11.Data((json.dumps(line, default=str) + "\n").encode())))

    async def _write(self, *pieces: bytes | None) -> None:
        for piece in pieces:
            self._writer.write(piece or b"")
        async with asyncio.timeout(self._limits.send_s):
            await self._writer.drain()
