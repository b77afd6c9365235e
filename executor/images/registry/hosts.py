"""Where the images of a registry come from: what a hosts.toml says. Pure.

Source: containerd, docs/hosts.md. Endpoints are tried in the file's order, the registry itself (`server`) last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executor import bounded_toml
from executor.errors import InvalidConfig
from executor.images.reference import DOMAIN
from executor.images.registry.credentials import canonical_host

ENDPOINTS_MAX: Final = 32
CAPABILITIES = ("pull", "resolve", "push")
_KEYS = frozenset({"server", "host", "capabilities", "ca", "client", "skip_verify", "header", "override_path"})
_IGNORED = frozenset({"dial_timeout"})
"""Known to later versions of containerd, and without effect here."""
_URL = re.compile(r"(https?)://([^/?#]+)((?:/[^?#\s]*)?)")
_DOCKER_HUB = ("docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Endpoint:
    """`url` is the prefix of the API with its version, `https://mirror.example/v2`; paths are this node's."""

    url: str
    pulls: bool = True
    """Whether layers may be asked of it."""
    resolves: bool = True
    """Whether it may say which digest a tag means."""
    ca: tuple[Path, ...] = ()
    client: tuple[tuple[Path, Path | None], ...] = ()
    """Certificate and key of this node; None: the key is in the certificate's file."""
    skip_verify: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        """With its port, if the URL names one."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is asked over HTTP without TLS."""
        return self.url.startswith("http://")

    def is_of(self, domain: str) -> bool:
        """Whether it is the registry `domain` itself, under any of its names. Every other endpoint is a mirror."""
        default = ":80" if self.is_plain else ":443"
        return canonical_host(self.host.removesuffix(default)) == canonical_host(domain.removesuffix(default))

    def replaces(self, other: Endpoint) -> bool:
        """Whether `other` is the same place and is asked nothing that this one is not asked."""
        return self.url == other.url and self.pulls >= other.pulls and self.resolves >= other.resolves


def of_registry(domain: str, *, plain: bool = False) -> Endpoint:
    """A registry without a hosts.toml; `plain`: HTTP without TLS."""
    host = _DOCKER_HUB[1] if domain == _DOCKER_HUB[0] else domain
    return Endpoint(f"{'http' if plain else 'https'}://{host}/v2")


def directories(domain: str) -> tuple[str, ...]:
    """Names of the directory of a registry below certs.d, in the order in which they are looked for."""
    host, colon, port = domain.rpartition(":")
    own = (domain, f"{host}_{port}_") if colon and port.isdigit() else (domain,)
    return (*own, "_default")


def parse(text: str, directory: Path, default: Endpoint) -> tuple[Endpoint, ...]:
    """The endpoints of a hosts.toml in `directory`; `default` is the registry where `server` is not given.

    Raises InvalidConfig: file and key.
    """
    subject = str(directory / "hosts.toml")
    try:
        value = bounded_toml.loads(text)
    except bounded_toml.TomlError as error:
        raise InvalidConfig(f"is not TOML: {error}", subject=subject) from error
    _check_keys(value, subject)
    listed = value.get("host", {})
    if not isinstance(listed, Mapping) or len(listed) > ENDPOINTS_MAX:
        raise InvalidConfig(f"`host` is not a table of {ENDPOINTS_MAX} entries at most", subject=subject)
    mirrors = [_Table(entry, directory, f"{subject}: host.{url}").endpoint(url) for url, entry in listed.items()]
    server, has_settings = value.get("server", default.url), bool(value.keys() & (_KEYS - {"host", "server"}))
    if not isinstance(server, str):
        raise InvalidConfig("`server` is not a URL", subject=subject)
    own = _Table(value, directory, subject).endpoint(server)
    if not has_settings and any(each.replaces(own) for each in mirrors):
        return tuple(mirrors)  # the table of a host says how the registry itself is asked
    return (*mirrors, own)


def of_certificates(names: Sequence[str], directory: Path, default: Endpoint) -> Endpoint:
    """A directory without hosts.toml, as docker has them: NAME.crt is a CA, NAME.cert and NAME.key are this node's."""
    clients = tuple((directory / name, directory / f"{name[:-5]}.key") for name in names if name.endswith(".cert"))
    ca = tuple(directory / name for name in names if name.endswith(".crt"))
    return Endpoint(default.url, ca=ca, client=clients)


class _Table:
    """One endpoint's table. `subject` is how errors name it."""

    def __init__(self, value: object, directory: Path, subject: str) -> None:
        if not isinstance(value, Mapping):
            raise InvalidConfig("is not a table", subject=subject)
        _check_keys(value, subject)
        self._value = value
        self._directory = directory
        self._subject = subject

    def endpoint(self, url: str) -> Endpoint:
        capabilities = self._capabilities()
        return Endpoint(
            self._url(url),
            pulls="pull" in capabilities,
            resolves="resolve" in capabilities,
            ca=tuple(self._path(each) for each in self._texts("ca")),
            client=tuple(self._clients()),
            skip_verify=self._flag("skip_verify"),
            headers=tuple(self._headers()),
        )

    def _url(self, text: str) -> str:
        url = text if "://" in text else f"https://{text}"
        match = _URL.fullmatch(url)
        if match is None or not DOMAIN.fullmatch(match[2]):
            raise self._fault(f"{text[:80]!r} is not a URL of http or https with a host")
        path = match[3].rstrip("/")
        if not self._flag("override_path") and not path.endswith("/v2"):
            path += "/v2"
        host = match[2].lower()
        return f"{match[1]}://{_DOCKER_HUB[1] if host == _DOCKER_HUB[0] else host}{path}"

    def _capabilities(self) -> tuple[str, ...]:
        if "capabilities" not in self._value:
            return CAPABILITIES
        found = self._texts("capabilities")
        if unknown := [each for each in found if each not in CAPABILITIES]:
            raise self._fault(f"`capabilities` has {unknown[0][:40]!r}; known are {', '.join(CAPABILITIES)}")
        return found

    def _clients(self) -> Iterator[tuple[Path, Path | None]]:
        """A file, a list of files, or a list of pairs of certificate and key."""
        value = self._value.get("client", [])
        for each in [value] if isinstance(value, str) else value if isinstance(value, list) else [None]:
            pair = [each] if isinstance(each, str) else each
            if not isinstance(pair, list) or not all(isinstance(part, str) for part in pair) or len(pair) not in (1, 2):
                raise self._fault("`client` is not a file, list of files, or list of [certificate, key]")
            yield self._path(pair[0]), self._path(pair[1]) if len(pair) == 2 and pair[1] else None

    def _headers(self) -> Iterator[tuple[str, str]]:
        value = self._value.get("header", {})
        if not isinstance(value, Mapping):
            raise self._fault("`header` is not a table")
        for name, texts in value.items():
            for text in texts if isinstance(texts, list) else [texts]:
                if not isinstance(text, str) or not (name + text).isprintable():
                    raise self._fault(f"`header.{name[:40]}` is not text, or has a control character")
                yield name, text

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._value.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self._fault(f"`{key}` is not text or list of texts")
        return tuple(found)

    def _flag(self, key: str) -> bool:
        value = self._value.get(key, False)
        if not isinstance(value, bool):
            raise self._fault(f"`{key}` is neither true nor false")
        return value

    def _path(self, text: str) -> Path:
        """A relative one is below the directory of the file."""
        return self._directory / text

    def _fault(self, message: str) -> InvalidConfig:
        return InvalidConfig(message, subject=self._subject)


def _check_keys(value: Mapping[str, object], subject: str) -> None:
    if unknown := sorted(value.keys() - _KEYS - _IGNORED):
        raise InvalidConfig(f"has the unknown key {unknown[0][:40]!r}", subject=subject)
