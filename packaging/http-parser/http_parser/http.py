"""HttpParser: an incremental parser of one HTTP response, with the interface of http-parser 0.9.0, on h11.

pymesos feeds what it read from a socket and takes the decoded body out again. Invariants: bytes may be split anywhere;
the body comes out in order and once; after an error nothing more is parsed and `get_errno` tells it. Requests,
decompression and a second response on the same connection are not supported: an event stream has none of them.
"""

from __future__ import annotations

import h11

HTTP_REQUEST = 0
HTTP_RESPONSE = 1
HTTP_BOTH = 2

# h11 reads a response only for a request that was sent; this one stands for whatever the caller wrote to its socket.
_REQUEST = h11.Request(method="POST", target="/", headers=[("Host", "agent"), ("Connection", "close")])


class HttpParser:
    def __init__(self, kind: int = HTTP_BOTH, decompress: bool = False) -> None:  # noqa: FBT001, FBT002
        if kind == HTTP_REQUEST or decompress:
            raise NotImplementedError("this http-parser reads responses only, and does not decompress them")
        self._connection = h11.Connection(h11.CLIENT)
        self._connection.send(_REQUEST)
        self._connection.send(h11.EndOfMessage())
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._complete = False
        self._error = ""

    def execute(self, data: bytes, length: int) -> int:
        """Parses the first `length` bytes of `data` (0 bytes: the peer closed); returns how many were understood."""
        if self._error:
            return 0
        try:
            self._connection.receive_data(data if length == len(data) else data[:length])
            self._take_events()
        except (h11.RemoteProtocolError, RuntimeError) as error:
            self._error = str(error)
            return 0
        return length - len(self._connection.trailing_data[0]) if self._complete else length

    def _take_events(self) -> None:
        while not self._complete:
            event = self._connection.next_event()
            if isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.Response):
                self._response = event
            elif isinstance(event, h11.EndOfMessage):
                self._complete = True
            elif not isinstance(event, h11.InformationalResponse):
                return

    def get_errno(self) -> int:
        """0, or 1 after an error."""
        return 1 if self._error else 0

    def get_error(self) -> str:
        """What was wrong with the bytes, empty if nothing was."""
        return self._error

    def is_headers_complete(self) -> bool:
        return self._response is not None

    def is_message_complete(self) -> bool:
        return self._complete

    def is_partial_body(self) -> bool:
        """Whether `recv_body` has something to return."""
        return bool(self._body)

    def get_status_code(self) -> int:
        """The response's status, 0 before it is known."""
        return self._response.status_code if self._response else 0

    def get_headers(self) -> dict[str, str]:
        """Names as the peer wrote them; values of a repeated name are joined by a comma (RFC 9110, section 5.2)."""
        headers: dict[str, str] = {}
        for name, value in self._response.headers.raw_items() if self._response else ():
            key, text = name.decode("ascii"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return headers

    def is_chunked(self) -> bool:
        if self._response is None:
            return False
        return (b"transfer-encoding", b"chunked") in self._response.headers

    def recv_body(self) -> bytes:
        """The body decoded since the last call."""
        body = bytes(self._body)
        self._body.clear()
        return body
