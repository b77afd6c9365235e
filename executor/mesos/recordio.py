"""RecordIO: a record is its length in decimal, a newline, and that many bytes. Pure.

Source: docs/scheduler-http-api.md, "RecordIO response format". Invariants: the stream may be cut at any byte; records
come out whole, in order, once; after a MesosFailure the stream has no meaning any more and must be dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

from executor.errors import MesosFailure

_DIGITS_MAX = 10
RECORD_MAX_BYTES = 16 << 20
"""Above any launch that is run: for a greater length the memory of this process is too dear. The agent sends a launch
that was cut off no second time, and tells its framework so (src/slave/slave.cpp, subscribe).
"""


class Records:
    """`max_bytes` bounds one record; `hint` says what a person can do about a longer one."""

    def __init__(self, max_bytes: int = RECORD_MAX_BYTES, hint: str = "launch less at once, with less data") -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes
        self._hint = hint

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The records that `data` completes, to be taken to the end. Raises MesosFailure at anything that is no
        record, after the whole records before it: what they say happened.
        """
        self._buffer += data
        start = 0
        while (bounds := self._next(start)) is not None:
            begin, start = bounds
            yield bytes(memoryview(self._buffer)[begin:start])
        del self._buffer[:start]

    def _next(self, start: int) -> tuple[int, int] | None:
        newline = self._buffer.find(b"\n", start, start + _DIGITS_MAX + 1)
        head = bytes(self._buffer[start : newline if newline >= 0 else start + _DIGITS_MAX + 1])
        if newline < 0 and (not head or (head.isdigit() and len(head) <= _DIGITS_MAX)):
            return None
        if newline < 0 or not head.isdigit():
            raise MesosFailure(f"the stream is not RecordIO at {head!r}", subject="event stream")
        if int(head) > self._max_bytes:
            message = f"an event has {int(head)} bytes, which is more than {self._max_bytes}"
            raise MesosFailure(message, subject="event stream", hint=self._hint)
        begin, end = newline + 1, newline + 1 + int(head)
        return (begin, end) if end <= len(self._buffer) else None
