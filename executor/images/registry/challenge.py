"""What a registry demands of a request without credentials: the WWW-Authenticate header. Pure.

Source: RFC 9110, 11.6.1; distribution, docs/spec/auth/token.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

HEADER_MAX: Final = 8 << 10
"""Letters of one header that are read; a longer one is cut."""
CHALLENGES_MAX: Final = 16
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 # RFC 9110's word for a word
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?:,|$)')
_SCHEME = re.compile(rf"\s*,*\s*({_TOKEN})(?:\s+|,|$)")


@dataclass(frozen=True)
class Challenge:
    """`scheme` in small letters: bearer, basic. Names of parameters are in small letters too."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def realm(self) -> str:
        """The URL of the token server, for bearer; empty without one."""
        return self.parameters.get("realm", "")


def parse(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """The challenges of all headers of an answer; what cannot be read is left out."""
    found: list[Challenge] = []
    for header in headers[:CHALLENGES_MAX]:
        text, at = header[:HEADER_MAX], 0
        while len(found) < CHALLENGES_MAX and (scheme := _SCHEME.match(text, at)):
            at = scheme.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(text, at):
                at = parameter.end()
                quoted = parameter[2]
                value = parameter[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters.setdefault(parameter[1].lower(), value)
            found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found)


def choose(challenges: Sequence[Challenge]) -> Challenge | None:
    """The one to answer: bearer with a realm before basic; None where there is neither."""
    bearer = next((each for each in challenges if each.scheme == "bearer" and each.realm), None)
    return bearer or next((each for each in challenges if each.scheme == "basic"), None)
