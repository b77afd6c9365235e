"""When a container starts again besides its restart policy, as part of `executor.spec.model`. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartRule:
    """A container that ended with one of these exit codes, or with none of them if it is `negated`, starts again."""

    codes: frozenset[int]
    negated: bool = False
