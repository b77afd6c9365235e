"""Pressure stall information (PSI) of a group: how much of the time its tasks waited for a resource.

Kept per cgroup by the unified hierarchy only, without any controller (Documentation/accounting/psi.rst).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Resource(StrEnum):
    CPU = "cpu"
    MEMORY = "memory"
    IO = "io"


@dataclass(frozen=True)
class Stall:
    """Per cent of the last 10, 60 and 300 seconds, and the sum since the group was made."""

    avg10: float
    avg60: float
    avg300: float
    total_usec: int


@dataclass(frozen=True)
class Pressure:
    """`some`: at least one task waited. `full`: all of them did (None where the kernel does not say)."""

    some: Stall
    full: Stall | None


def parse_pressure(text: str) -> Pressure | None:
    """The text of a `<resource>.pressure` file; None if it has no `some` line. Pure."""
    stalls = {kind: _stall(rest) for kind, _, rest in (line.partition(" ") for line in text.splitlines())}
    return Pressure(stalls["some"], stalls.get("full")) if "some" in stalls else None


def _stall(fields: str) -> Stall:
    pairs = dict(field.split("=", 1) for field in fields.split())
    return Stall(float(pairs["avg10"]), float(pairs["avg60"]), float(pairs["avg300"]), int(pairs["total"]))
