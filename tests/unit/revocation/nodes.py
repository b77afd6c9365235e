"""Readings of a node, for the tests of what is done about pressure."""

from __future__ import annotations

from typing import Any

from executor.revocation.pressure import (
    Policy,
)
from executor.revocation.readings import Borrowed, Readings

GIB = 1 << 30
POLICY = Policy(revoke_after_s=5, cool_down_s=20)
BORROWED = Borrowed(pods=2, victims=2, cpus=4.0, mem_bytes=4 * GIB)


def readings(at_s: float = 0.0, **fields: Any) -> Readings:
    """A node of 8 CPUs and 64 GiB where nothing is wrong."""
    usual: dict[str, Any] = {
        "rest_cpus": 1.0,
        "protected_cpus": 1.0,
        "revocable_cpus": 2.0,
        "available_bytes": 32 * GIB,
        "total_bytes": 64 * GIB,
        "revocable_bytes": 2 * GIB,
        "borrowed": BORROWED,
    }
    return Readings(at_s=at_s, capacity_cpus=8.0, **(usual | fields))


SHORT_OF_CPU = readings(rest_cpus=5.0, protected_cpus=5.0, revocable_cpus=3.0, cpu_stall_percent=40.0)
SHORT_OF_MEMORY = readings(available_bytes=2 * GIB)
