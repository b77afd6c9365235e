"""HTTP to one endpoint of a registry, by urllib3: TLS, time limits, redirects, bounded answers.

Blocking code, to be used from threads; one Transport may be used by several. Another origin, to which a redirect or a
token server's address leads, gets neither the Authorization nor the headers nor the certificate of the endpoint, and
its own certificate is always verified. No redirect leads from HTTPS to HTTP.
"""

from __future__ import annotations

import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import urllib3

from executor import __version__
from executor.errors import InvalidConfig, reason
from executor.images.failures import PullFailure
from executor.images.registry.answer import Answer, words_of
from executor.images.registry.hosts import Endpoint
from executor.images.registry.limits import SILENCE_S, PlainPool, SecurePool
from executor.images.registry.proxies import NO_PROXIES, Proxies
from executor.images.registry.urls import PORTS, origin, where

CONNECT_S: Final = 10.0
REDIRECTS_MAX: Final = 5
_REDIRECTS = (301, 302, 303, 307, 308)
PROXY_HINT: Final = "give the proxy's user and password: [images] proxy_credential_file"
_USER_AGENT = f"mesos-pod-executor/{__version__}"


class Transport:
    """`timeout_s` is how long the other side may be silent. Raises InvalidConfig for unusable certificates."""

    def __init__(self, endpoint: Endpoint, proxies: Proxies = NO_PROXIES, *, timeout_s: float = SILENCE_S) -> None:
        self.endpoint = endpoint
        self._own = origin(endpoint.url)
        self._own_headers = endpoint.headers
        self._silence_s = timeout_s
        self._timeout = urllib3.Timeout(connect=min(CONNECT_S, timeout_s), read=timeout_s)
        self._proxies = proxies
        self._own_tls = self._other_tls = _tls(endpoint)
        if endpoint.skip_verify or endpoint.client:
            self._other_tls = _tls(Endpoint(endpoint.url, ca=endpoint.ca))
        self._pools: dict[tuple[bool, str], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def is_own(self, url: str) -> bool:
        """Whether `url` is of the endpoint's own origin. Raises PullFailure for what is not a URL."""
        return origin(url) == self._own

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, body: bytes | None = None
    ) -> Answer:
        """The answer after redirects, of any status. Raises PullFailure."""
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
        is_own, proxy = self.is_own(url), self._proxies.of(*origin(url))
        sent = urllib3.HTTPHeaderDict({"User-Agent": _USER_AGENT})
        for name, text in self._own_headers if is_own else ():
            sent.add(name.title(), text)
        wanted = {"accept-encoding": "identity", **headers}
        sent.update({name.title(): text for name, text in wanted.items()})  # to a proxy urllib3 sends an Accept as well
        try:
            response = self._pool(is_own=is_own, proxy=proxy).request(
                method,
                url,
                body=body,
                headers=sent,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            hint, subject = _hint(error), where(url)
            through = f" through the proxy {proxy}" if proxy else ""
            message = f"cannot be reached{through}: {words_of(error)}"
            raise PullFailure(message, subject=subject, hint=hint, lasting=bool(hint)) from error
        return Answer(response, url, silence_s=self._silence_s)

    def _pool(self, *, is_own: bool, proxy: str) -> urllib3.PoolManager:
        key = is_own, proxy
        with self._lock:
            if key not in self._pools:
                self._pools[key] = self._made(self._own_tls if is_own else self._other_tls, proxy)
            return self._pools[key]

    def _made(self, context: ssl.SSLContext, proxy: str) -> urllib3.PoolManager:
        settings: dict[str, Any] = {
            "num_pools": 8,
            "maxsize": 8,
            "retries": False,
            "timeout": self._timeout,
            "ssl_context": context,
        }
        if proxy:
            login = self._proxies.credential.encode("utf-8", "surrogateescape")
            headers = {"proxy-authorization": f"Basic {b64encode(login).decode()}"} if login else None
            pool: urllib3.PoolManager = urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)
        else:
            pool = urllib3.PoolManager(**settings)
        pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
        return pool


def _redirected(url: str, target: str) -> str:
    """The URL that a Location names. Raises PullFailure for what is none, or may not be asked."""
    try:
        goal = urljoin(url, target)
    except ValueError as error:
        raise PullFailure(f"redirects to what is not a URL: {error}", subject=where(url), lasting=True) from error
    scheme, host, _ = origin(goal)
    if scheme not in PORTS or not host or (scheme == "http" and url.startswith("https:")):
        message = f"redirects to {where(goal)}, which is not HTTPS"
        raise PullFailure(message, subject=where(url), lasting=True)
    return goal


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


def _hint(error: BaseException) -> str:
    """For a fault that the operator has to correct."""
    text = str(error)
    if any(f"Tunnel connection failed: {status}" in text for status in (401, 407)):  # tinyproxy sends either
        return PROXY_HINT
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "name its CA in hosts.toml, see [images] hosts_dir"
    if "WRONG_VERSION_NUMBER" in text:
        return "it does not speak HTTPS: list it in [images] plain_http or as http:// in hosts.toml"
    return ""
