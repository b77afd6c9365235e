"""How slow a registry may be, and connections of urllib3 that keep to it.

The time limits of sockets, and so those of urllib3, begin again with each byte that comes.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import urllib3

SILENCE_S: Final = 30.0
"""How long a registry may send nothing. All other limits of time are multiples of it."""
HEADERS_SILENCES: Final = 2
"""From a request to the end of the headers of its answer."""
DOCUMENT_SILENCES: Final = 4
"""For the body of a document."""
WINDOW_SILENCES: Final = 2
"""The time of waiting over which the rate of a layer is measured."""
RATE_BYTES_PER_S: Final = 8 << 10
"""A layer that comes more slowly is given up: a registry that sends a byte now and then is never silent."""


class _Plain(urllib3.connection.HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override] # as urllib3 has it
        with _headers_in_time(self):
            return super().getresponse()


class _Secure(urllib3.connection.HTTPSConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override] # as urllib3 has it
        with _headers_in_time(self):
            return super().getresponse()


class PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


@contextmanager
def _headers_in_time(connection: urllib3.connection.HTTPConnection) -> Iterator[None]:
    """The time limit of urllib3 begins again with each byte; this one does not."""
    sock, limit_s = connection.sock, HEADERS_SILENCES * float(connection.timeout or SILENCE_S)

    def shut() -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    with deadline(limit_s, shut) as over:
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not over.is_set():
                raise
    if over.is_set():  # http.client takes the end of the connection for the end of the headers
        raise http.client.HTTPException(f"no whole answer within {limit_s:g} s")


@contextmanager
def deadline(limit_s: float, end: Callable[[], None]) -> Iterator[threading.Event]:
    """Calls `end` in a thread if the block lasts longer than the limit; the event is set then."""
    over = threading.Event()

    def work() -> None:
        over.set()
        end()

    timer = threading.Timer(limit_s, work)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        timer.join()
