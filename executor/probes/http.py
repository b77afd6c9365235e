"""GET of a URL, as kubelet asks (pkg/probe/http): any status from 200 to 399 is a success.

A redirect to the same host is followed, ten times at most; one to another host is a success by itself, because
following it would make the executor ask what a pod chooses. No certificate is verified. The answer is read to its end
or to 10 KiB. Mesos' own checker (curl -L) follows redirects to other hosts too; here they are answers.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from executor import __version__
from executor.errors import clipped
from executor.probes.sockets import Place, why
from executor.probes.state import Result

if TYPE_CHECKING:
    from executor.probes.sockets import Sockets
    from executor.spec.probes import HttpGet

HEAD_MAX_BYTES: Final = 64 << 10
BODY_MAX_BYTES: Final = 10 << 10
WIRE_MAX_BYTES: Final = 2 * (HEAD_MAX_BYTES + BODY_MAX_BYTES)
"""The length of an answer with all that is around its head and body: informational answers, sizes of chunks."""
READ_BYTES: Final = 4 << 10
"""At once: some hundreds of the smallest parts, which take 3 ms."""
REDIRECTS_MAX: Final = 10
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 200


async def get(place: Place, request: HttpGet, sockets: Sockets) -> Result:
    """The status is the result's value. The time limit is the caller's."""
    url = _url(place, request)
    try:
        status = await _followed_status(url, _headers(request), place, sockets)
    except OSError as error:
        return Result(ok=False, message=f"GET {_shown(url)}: {why(error)}")
    except (h11.RemoteProtocolError, h11.LocalProtocolError, ValueError) as error:
        return Result(ok=False, message=f"GET {_shown(url)}: {clipped(str(error), _SHOWN)}")
    ok = 200 <= status < 400
    return Result(ok, "" if ok else f"GET {_shown(url)}: status {status}", status)


async def _followed_status(url: SplitResult, headers: dict[str, str], place: Place, sockets: Sockets) -> int:
    """The result of the first answer that is not followed. Raises OSError, h11's errors, ValueError."""
    for _ in range(REDIRECTS_MAX + 1):
        status, location = await _ask(url, headers, place, sockets)
        following = _followed(url, status, location)
        if following is None:
            return status
        if urlsplit(location).netloc:  # only a relative one keeps a Host header of the pod's
            headers = {name: value for name, value in headers.items() if name.lower() != "host"}
        url = following
        place = replace(place, port=url.port or _DEFAULT_PORTS[url.scheme])
    raise ValueError(f"more than {REDIRECTS_MAX} redirects")


def _url(place: Place, request: HttpGet) -> SplitResult:
    path = request.path if request.path.startswith("/") else f"/{request.path}"
    parts = urlsplit(f"//host{path}")
    return SplitResult("https" if request.tls else "http", place.text, parts.path, parts.query, "")


def _headers(request: HttpGet) -> dict[str, str]:
    """With kubelet's defaults; an empty Accept leaves it out."""
    headers = {"User-Agent": f"mesos-pod-executor-probe/{__version__}", "Accept": "*/*"}
    for name, value in request.headers:
        headers = {key: old for key, old in headers.items() if key.lower() != name.lower()}
        headers[name] = value
    return {name: value for name, value in headers.items() if value or name.lower() != "accept"}


def _followed(url: SplitResult, status: int, location: str) -> SplitResult | None:
    """Where the redirect leads to on the same host; None: this is the answer."""
    if status not in (301, 302, 303, 307, 308) or not location:
        return None
    found = urlsplit(urljoin(url.geturl(), location))
    if found.scheme not in _DEFAULT_PORTS or found.hostname != url.hostname:
        return None
    return found


async def _ask(url: SplitResult, headers: dict[str, str], place: Place, sockets: Sockets) -> tuple[int, str]:
    """Status and Location of one answer. Raises OSError, h11's errors."""
    loop = asyncio.get_running_loop()
    tls = _unverified() if url.scheme == "https" else None
    connected = await sockets.connected(place)
    answer = _Answer(loop.create_future())
    if connected is not None:
        transport, _ = await loop.create_connection(
            lambda: answer, sock=connected, ssl=tls, server_hostname="" if tls else None
        )
    else:
        transport, _ = await loop.create_connection(
            lambda: answer, place.host, place.port, ssl=tls, server_hostname=place.host if tls else None
        )
    try:
        transport.write(answer.request(url, headers))
        return await answer.done
    finally:
        transport.abort()


class _Answer(asyncio.BufferedProtocol):
    """Feeds h11 until the answer is complete, or as much of it as is read. The pod chooses what an answer is made of,
    so the event loop is given back after each READ_BYTES.
    """

    def __init__(self, done: asyncio.Future[tuple[int, str]]) -> None:
        self.done = done
        self._buffer = bytearray(READ_BYTES)
        self._wire_bytes = 0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX_BYTES)
        self._status = 0
        self._location = ""
        self._body_bytes = 0

    def request(self, url: SplitResult, headers: dict[str, str]) -> bytes:
        own = {"Host": url.netloc, "Connection": "close"}
        given = {name.lower() for name in headers}
        lines = [(name, value) for name, value in own.items() if name.lower() not in given]
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        request = h11.Request(method="GET", target=target, headers=[*lines, *headers.items()])
        return (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio passes it
        """For at most READ_BYTES."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes are in the buffer."""
        self._wire_bytes += nbytes
        self._feed(bytes(self._buffer[:nbytes]))
        if self._wire_bytes > WIRE_MAX_BYTES and not self.done.done():
            self.done.set_exception(h11.RemoteProtocolError(f"the answer has no end within {WIRE_MAX_BYTES} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done.done():
            return
        if exc is not None:
            self.done.set_exception(exc)
        else:
            self._feed(b"")

    def _feed(self, data: bytes) -> None:
        if self.done.done():
            return
        try:
            self._http.receive_data(data)
            while not self._take(event := self._http.next_event()):
                if event is h11.NEED_DATA:
                    return
        except h11.RemoteProtocolError as error:
            self.done.set_exception(error)
        else:
            self.done.set_result((self._status, self._location))

    def _take(self, event: object) -> bool:
        """Whether this was the end of what is read."""
        if isinstance(event, h11.Response):
            self._status = event.status_code
            self._location = next((text(value) for name, value in event.headers if name == b"location"), "")
        elif isinstance(event, h11.Data):
            self._body_bytes += len(event.data)
        elif isinstance(event, h11.ConnectionClosed) and not self._status:
            raise h11.RemoteProtocolError("the connection was closed without an answer")
        return isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or self._body_bytes > BODY_MAX_BYTES


def text(value: bytes) -> str:
    """Bytes of a header, as text for messages."""
    return value.decode("latin-1")


def _shown(url: SplitResult) -> str:
    return clipped(url.geturl(), _SHOWN)


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
