"""Addresses that a registry gives: their origin, and how errors name them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from executor.images.failures import PullFailure

PORTS: Final = {"http": 80, "https": 443}
_URL_SHOWN = 300


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
        return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise PullFailure(f"the registry gives an address that is not a URL: {error}", lasting=True) from error
