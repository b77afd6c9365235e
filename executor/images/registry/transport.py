"""HTTP to one endpoint of a registry, by urllib3: TLS, time limits, redirects, bounded answers.

Blocking code, to be used from threads; one Transport may be used by several. Another origin, to which a redirect or a
token server's address leads, gets neither the Authorization nor the headers nor the certificate of the endpoint, and
its own certificate is always verified. No redirect leads from HTTPS to HTTP.
"""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import urllib3

from executor import __version__
from executor.errors import InvalidConfig, reason
from executor.images.failures import PullFailure
from executor.images.registry.hosts import Endpoint

CONNECT_S: Final = 10.0
SILENCE_S: Final = 30.0
"""How long a registry may send nothing."""
REDIRECTS_MAX: Final = 5
CHUNK_BYTES: Final = 512 << 10
CHUNK_S: Final = 0.5
"""Data that came is handed on after this time, full chunk or not, so that a cut connection loses little."""
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE_BYTES = 64 << 10
_ERROR_MAX_BYTES = 64 << 10
_BUSY = (408, 425, 429, 503)
_PORTS = {"http": 80, "https": 443}
_URL_SHOWN = 300
_USER_AGENT = f"mesos-pod-executor/{__version__}"


class Answer:
    """An answer whose body is still to be read; a context manager that ends the connection's use."""

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str) -> None:
        self.status = response.status
        self.url = url
        self._response = response
        self._failure: PullFailure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._response.close()

    def header(self, name: str) -> str:
        """Empty if it was not sent."""
        return self._response.headers.get(name) or ""

    def headers(self, name: str) -> list[str]:
        return list(self._response.headers.getlist(name))

    @property
    def length_bytes(self) -> int | None:
        text = self.header("content-length")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def body(self, max_bytes: int) -> bytes:
        """All of it. PullFailure if it has more than `max_bytes`, or the connection breaks."""
        if (self.length_bytes or 0) > max_bytes:
            raise self.failure(f"sends {self.length_bytes} bytes, more than {max_bytes}", lasting=True)
        data = bytearray()
        while piece := self._read():
            data += piece
            if len(data) > max_bytes:
                raise self.failure(f"sends more than {max_bytes} bytes", lasting=True)
        return bytes(data)

    def chunk(self) -> bytes:
        """The next part of the body, empty at its end. PullFailure if the connection breaks; what came before that is
        handed out first.
        """
        data, deadline = bytearray(), time.monotonic() + CHUNK_S
        if self._failure is not None:
            raise self._failure
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
        wait_s = _retry_after_s(self.header("retry-after")) if self.status in _BUSY else 0.0
        return PullFailure(message, subject=where(self.url), status=self.status, retry_after_s=wait_s, lasting=lasting)

    def _read(self) -> bytes:
        try:
            return self._response.read1(_PIECE_BYTES)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PullFailure(f"the connection broke off: {_reason(error)}", subject=where(self.url)) from error


class Transport:
    """`timeout_s` is how long the other side may be silent. Raises InvalidConfig for unusable certificates."""

    def __init__(self, endpoint: Endpoint, *, timeout_s: float = SILENCE_S) -> None:
        self.endpoint = endpoint
        self._own = origin(endpoint.url)
        self._own_headers = dict(endpoint.headers)
        self._timeout = urllib3.Timeout(connect=min(CONNECT_S, timeout_s), read=timeout_s)
        others = Endpoint(endpoint.url, ca=endpoint.ca)
        self._own_pool = self._pool(endpoint)
        self._other_pool = self._own_pool if _tls_parts(others) == _tls_parts(endpoint) else self._pool(others)

    def close(self) -> None:
        self._own_pool.clear()
        self._other_pool.clear()

    def is_own(self, url: str) -> bool:
        """Whether `url` is of the endpoint's own origin. Raises PullFailure for what is no URL."""
        return origin(url) == self._own

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, body: bytes | None = None
    ) -> Answer:
        """The answer after redirects, of whatever status. Raises PullFailure."""
        wanted = dict(headers or {})
        for _ in range(REDIRECTS_MAX + 1):
            answer = self._once(method, url, wanted, body)
            target = answer.header("location")
            if answer.status not in _REDIRECTS or not target or method not in ("GET", "HEAD"):
                return answer
            with answer:
                goal = _redirected(url, target)
            if origin(goal) != origin(url):
                wanted = {name: value for name, value in wanted.items() if name.lower() != "authorization"}
            url = goal
        raise PullFailure(f"redirects more than {REDIRECTS_MAX} times", subject=where(url))

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        pool, own = (self._own_pool, self._own_headers) if self.is_own(url) else (self._other_pool, {})
        try:
            response = pool.request(
                method,
                url,
                body=body,
                headers={"user-agent": _USER_AGENT, **own, "accept-encoding": "identity", **headers},
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            hint, subject = _hint(error), where(url)
            message = f"cannot be reached: {_reason(error)}"
            raise PullFailure(message, subject=subject, hint=hint, lasting=bool(hint)) from error
        return Answer(response, url)

    def _pool(self, endpoint: Endpoint) -> urllib3.PoolManager:
        context = _tls(endpoint)
        return urllib3.PoolManager(num_pools=8, maxsize=8, retries=False, timeout=self._timeout, ssl_context=context)


def where(url: str) -> str:
    """A URL as errors name it: without its query and its user, which may be secrets, and of bounded length."""
    scheme, mark, rest = url.partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    text = f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"[:_URL_SHOWN]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL (RFC 6454). Raises PullFailure for what is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise PullFailure(f"the registry gives an address that is no URL: {error}", lasting=True) from error


def _redirected(url: str, target: str) -> str:
    """The URL that a Location names. Raises PullFailure for what is none, or may not be asked."""
    try:
        goal = urljoin(url, target)
    except ValueError as error:
        raise PullFailure(f"redirects to what is no URL: {error}", subject=where(url), lasting=True) from error
    scheme, host, _ = origin(goal)
    if scheme not in _PORTS or not host or (scheme == "http" and url.startswith("https:")):
        message = f"redirects to {where(goal)}, which is not HTTPS"
        raise PullFailure(message, subject=where(url), lasting=True)
    return goal


def _tls_parts(endpoint: Endpoint) -> tuple[object, ...]:
    return endpoint.ca, endpoint.client, endpoint.skip_verify


def _tls(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if endpoint.skip_verify:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the operator's own choice
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for ca in endpoint.ca:
        with _named(ca):
            context.load_verify_locations(cafile=ca)
    for certificate, key in endpoint.client:
        with _named(certificate):
            context.load_cert_chain(certificate, key)
    return context


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ssl.SSLError, ValueError) as error:
        raise InvalidConfig(f"cannot be used as a certificate: {reason(error)}", subject=str(path)) from error


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
    from executor import bounded_json

    try:
        value = bounded_json.loads(answer.body(_ERROR_MAX_BYTES), bounded_json.LINE)
        errors = value["errors"]
        texts = [f"{each.get('code', '')} {each.get('message', '')}".strip() for each in errors[:3]]
    except (PullFailure, ValueError, TypeError, KeyError, AttributeError):
        return ""
    text = "; ".join(str(each) for each in texts)[:300]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _reason(error: BaseException) -> str:
    """The innermost words, without urllib3's objects in them."""
    seen = error
    while (inner := getattr(seen, "reason", None)) and isinstance(inner, BaseException):
        seen = inner
    text = str(seen)
    if isinstance(seen, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        text = text.rpartition(": ")[2]
    return text or type(seen).__name__


def _hint(error: BaseException) -> str:
    """For what does not pass by itself."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "name its CA in hosts.toml, see [images] hosts_dir"
    if "WRONG_VERSION_NUMBER" in text:
        return "it does not speak HTTPS: list it in [images] plain_http or as http:// in hosts.toml"
    return ""
