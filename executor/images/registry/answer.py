"""An answer of a registry: its headers, its body within limits of size and time, and what its status means."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self

import urllib3

from executor import bounded_json
from executor.images.failures import PullFailure
from executor.images.registry.limits import DOCUMENT_SILENCES, RATE_BYTES_PER_S, WINDOW_SILENCES, deadline
from executor.images.registry.urls import where

CHUNK_BYTES: Final = 512 << 10
CHUNK_S: Final = 0.5
"""Data that came is handed on after this time, full chunk or not, so that a cut connection loses little."""
_PIECE_BYTES = 64 << 10
_ERROR_MAX_BYTES = 64 << 10
_BUSY = (408, 425, 429, 503)


class Answer:
    """An answer whose body is still to be read; a context manager that ends the connection's use."""

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str, *, silence_s: float) -> None:
        self.status = response.status
        self.url = url
        self._response = response
        self._silence_s = silence_s
        self._waited_s = 0.0
        self._got_bytes = 0
        self._failure: PullFailure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the use of the connection, read to its end or not. A thread that still reads gets an error at once."""
        self._shut()  # close() alone would wait for that thread
        self._response.close()

    def header(self, name: str) -> str:
        """Empty if it was not sent."""
        return self._response.headers.get(name) or ""

    def headers(self, name: str) -> list[str]:
        """All headers of this name."""
        return list(self._response.headers.getlist(name))

    @property
    def length_bytes(self) -> int | None:
        """The length that the headers give; None for no valid one."""
        text = self.header("content-length")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def body(self, max_bytes: int) -> bytes:
        """All of it. PullFailure if it has more than `max_bytes`, takes too long, or the connection breaks."""
        if (self.length_bytes or 0) > max_bytes:
            raise self.failure(f"sends {self.length_bytes} bytes, more than {max_bytes}", lasting=True)
        data = bytearray()
        with self._within(DOCUMENT_SILENCES * self._silence_s):
            while piece := self._read():
                data += piece
                if len(data) > max_bytes:
                    raise self.failure(f"sends more than {max_bytes} bytes", lasting=True)
        return bytes(data)

    def chunk(self) -> bytes:
        """The next part of the body, empty at its end. PullFailure if it comes too slowly, or the connection breaks;
        what came before that is handed out first.
        """
        if self._failure is not None:
            raise self._failure
        begin, window_s = time.monotonic(), WINDOW_SILENCES * self._silence_s
        with self._within(window_s):
            data = self._chunk()
        self._waited_s += time.monotonic() - begin
        self._got_bytes += len(data)
        if self._waited_s >= window_s:
            if data and self._got_bytes < RATE_BYTES_PER_S * self._waited_s:
                rate = f"{self._got_bytes / self._waited_s:.0f} bytes/s"
                self._failure = self.failure(f"is too slow: {rate}, less than {RATE_BYTES_PER_S}")
            self._waited_s, self._got_bytes = 0.0, 0
        return data

    def _chunk(self) -> bytes:
        data, deadline = bytearray(), time.monotonic() + min(CHUNK_S, self._silence_s)
        while len(data) < CHUNK_BYTES and (not data or time.monotonic() < deadline):
            try:
                piece = self._read()
            except PullFailure as failure:
                if not data:
                    raise
                self._failure = failure
                break
            if not piece:
                break
            data += piece
        return bytes(data)

    def refusal(self) -> PullFailure:
        """What an answer with an error status means, with the registry's own words."""
        text = f"answers {self.status}"
        if words := _words(self):
            text += f": {words}"
        return self.failure(text, lasting=400 <= self.status < 500 and self.status not in _BUSY)

    def failure(self, message: str, *, lasting: bool = False) -> PullFailure:
        """A failure of this answer, with its URL, its status and its Retry-After."""
        wait_s = _retry_after_s(self.header("retry-after")) if self.status in _BUSY else 0.0
        return PullFailure(message, subject=where(self.url), status=self.status, retry_after_s=wait_s, lasting=lasting)

    def _read(self) -> bytes:
        try:
            return self._response.read1(_PIECE_BYTES)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PullFailure(f"the connection broke off: {words_of(error)}", subject=where(self.url)) from error

    @contextmanager
    def _within(self, limit_s: float) -> Iterator[None]:
        """Ends what reads the body within the block once the limit is over. Raises PullFailure then."""
        with deadline(limit_s, self._shut) as over:
            try:
                yield
            except PullFailure:
                if not over.is_set():
                    raise
        if over.is_set():
            raise self.failure(f"is too slow: it did not send what was asked for within {limit_s:g} s")

    def _shut(self) -> None:
        with suppress(OSError, RuntimeError, ValueError):  # it has been read to its end meanwhile
            self._response.shutdown()


def words_of(error: BaseException) -> str:
    """The innermost words of an error, without urllib3's objects in them."""
    seen = error
    while (inner := getattr(seen, "reason", None)) and isinstance(inner, BaseException):
        seen = inner
    if isinstance(seen, urllib3.exceptions.ProtocolError) and isinstance(seen.args[-1], Exception):
        seen = seen.args[-1]
    text = str(seen)
    if isinstance(seen, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        text = text.rpartition(": ")[2]
    return text or type(seen).__name__


def _retry_after_s(text: str) -> float:
    """Seconds, or a date (RFC 9110, 10.2.3); 0 for neither."""
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _words(answer: Answer) -> str:
    """The registry's own (distribution specification, "Error Codes"), if it says any."""
    try:
        value = bounded_json.loads(answer.body(_ERROR_MAX_BYTES), bounded_json.LINE)
        errors = value["errors"]
        texts = [f"{each.get('code', '')} {each.get('message', '')}".strip() for each in errors[:3]]
    except (PullFailure, ValueError, TypeError, KeyError, AttributeError):
        return ""
    text = "; ".join(str(each) for each in texts)[:300]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
