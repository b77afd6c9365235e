"""The versions of the CNI specification and what came with which. Pure."""

from __future__ import annotations

from collections.abc import Iterable

SPEC_VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""Oldest first; all are spoken."""

MESOS_VERSIONS = ("0.1.0", "0.2.0")
"""The Mesos agent understands their results: it reads ip4, ip6 and dns only (Mesos's network/cni/spec.proto)."""

CHAINING = "0.3.0"
CHECK = "0.4.0"  # also prevResult on DEL
STATUS = "1.1.0"


def at_least(version: str, minimum: str) -> bool:
    """Both are of SPEC_VERSIONS."""
    return SPEC_VERSIONS.index(version) >= SPEC_VERSIONS.index(minimum)


def newest_first(versions: Iterable[str]) -> tuple[str, ...]:
    """The known ones of `versions`."""
    return tuple(sorted(set(versions) & set(SPEC_VERSIONS), key=SPEC_VERSIONS.index, reverse=True))
