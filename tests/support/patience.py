"""How long a test waits for something: longer on a machine that is known to be slow."""

from __future__ import annotations

import os

SLOW = float(os.environ.get("MPE_TEST_SLOW", "1"))
"""How many times as long everything takes as on a usual machine; tests/support/vm sets it for its guest."""


def patient(seconds: float) -> float:
    """A limit of time that is fair on this machine."""
    return seconds * SLOW
