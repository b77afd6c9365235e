"""Credentials of registries: docker's config.json, and which of them a registry may get. Pure.

Source: docker's documentation of config.json (`auths`); Kubernetes' documentation, "Images", "Interpretation of
config.json" and "Pull an Image from a Private Registry" (kubernetes.io/dockerconfigjson, kubernetes.io/dockercfg).
Messages name the file or the field, never a value.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from executor import bounded_json
from executor.errors import InvalidConfig

ENTRIES_MAX: Final = 1000
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


@dataclass(frozen=True)
class Credential:
    """For the registries that `host` matches (`*` stands for a part of a name), and paths below `path`."""

    host: str
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """What an earlier login got for a name and a password (OAuth 2 refresh token)."""

    @property
    def is_empty(self) -> bool:
        """Whether it has neither a user nor a token."""
        return not self.username and not self.identity_token


@dataclass(frozen=True)
class Helpers:
    """Names of docker's credential helpers, without docker-credential-: for some hosts, and for all others."""

    store: str = ""
    by_host: Mapping[str, str] = field(default_factory=dict)

    def of(self, host: str) -> str:
        """The helper that knows a registry; empty for none."""
        return self.by_host.get(canonical_host(host), self.store)


def parse_helpers(text: str | bytes, *, subject: str) -> Helpers:
    """The helpers that a config.json names. Raises InvalidConfig with `subject`."""
    value = _document(text, subject)
    store, listed = value.get("credsStore", ""), value.get("credHelpers", {})
    if not isinstance(listed, dict) or len(listed) > ENTRIES_MAX:
        raise InvalidConfig(f"`credHelpers` is not an object of {ENTRIES_MAX} entries at most", subject=subject)
    named = {f"credHelpers[{host[:80]}]": name for host, name in listed.items()}
    for key, name in (named | ({"credsStore": store} if store else {})).items():
        if not isinstance(name, str) or not _HELPER.fullmatch(name):
            raise InvalidConfig(f"`{key}` is not a name of a credential helper, such as pass", subject=subject)
    return Helpers(store or "", {split_server(host)[0]: name for host, name in listed.items()})


def parse_docker_config(text: str | bytes, *, subject: str) -> tuple[Credential, ...]:
    """The credentials of a config.json, or of the older .dockercfg, which has no `auths`.

    Entries that are empty or belong to a credential helper are left out. Raises InvalidConfig with `subject`.
    """
    value = _document(text, subject)
    auths = value.get("auths", {}) if "auths" in value or _is_config(value) else value
    if not isinstance(auths, dict) or len(auths) > ENTRIES_MAX:
        raise InvalidConfig(f"`auths` is not an object of {ENTRIES_MAX} entries at most", subject=subject)
    found = (_credential(str(key), entry, subject) for key, entry in auths.items() if isinstance(entry, Mapping))
    return tuple(each for each in found if not each.is_empty)


def _document(text: str | bytes, subject: str) -> Mapping[str, Any]:
    try:
        value = bounded_json.loads(text, bounded_json.DOCUMENT)
    except ValueError as error:
        raise InvalidConfig("is not a JSON document, or is too large", subject=subject) from error
    if not isinstance(value, dict):
        raise InvalidConfig("is not a JSON object", subject=subject)
    return value


def _is_config(value: Mapping[str, object]) -> bool:
    return bool(value.keys() & {"credsStore", "credHelpers", "HttpHeaders", "currentContext", "proxies"})


def _credential(key: str, entry: Mapping[str, object], subject: str) -> Credential:
    username, password = _text(entry, "username"), _text(entry, "password")
    if auth := _text(entry, "auth"):
        username, password = _decoded(auth, f"{subject}: auths[{key}].auth")
    host, path = split_server(key)
    return Credential(host, path, username, password, _text(entry, "identitytoken"))


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _decoded(auth: str, subject: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth.strip(), validate=True).decode()
    except (binascii.Error, ValueError):  # not `from`: its text may be a part of the secret
        raise InvalidConfig("is no base64 of USER:PASSWORD", subject=subject) from None
    username, colon, password = text.strip("\0\n").partition(":")
    if not colon:
        raise InvalidConfig("is no base64 of USER:PASSWORD", subject=subject)
    return username, password


def split_server(key: str) -> tuple[str, str]:
    """Host and path of a key: `https://index.docker.io/v1/` is docker.io and no path."""
    host, _, path = key.strip().removeprefix("https://").removeprefix("http://").partition("/")
    path = path.strip("/")
    if path in ("v1", "v2"):
        path = ""
    return canonical_host(host), path


def canonical_host(host: str) -> str:
    """One name for a registry that has several."""
    lower = host.lower()
    return "docker.io" if lower in _DOCKER_HUB else lower


def matching(credentials: Iterable[Credential], host: str, path: str) -> tuple[Credential, ...]:
    """Those for the repository `path` of the registry `host`, the most specific first, else in their order."""
    own = canonical_host(host)
    found = [each for each in credentials if _host_matches(each.host, own) and _path_matches(each.path, path)]
    return tuple(sorted(found, key=lambda each: (-len(each.path), "*" in each.host)))


def _host_matches(pattern: str, host: str) -> bool:
    """Part by part: a `*` never stands for a dot, as in Kubernetes."""
    own_name, _, own_port = host.partition(":")
    name, _, port = pattern.partition(":")
    parts, own_parts = name.split("."), own_name.split(".")
    if port != own_port or len(parts) != len(own_parts):
        return False
    return all(fnmatch.fnmatchcase(own, part) for own, part in zip(own_parts, parts, strict=True))


def _path_matches(prefix: str, path: str) -> bool:
    return not prefix or path == prefix or path.startswith(f"{prefix}/")
