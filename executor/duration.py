"""Lengths of time as people, Mesos and Kubernetes write them. Pure."""

from __future__ import annotations

import math
import re

from executor.errors import InvalidInput

_UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "secs": 1.0,
    "m": 60.0,
    "mins": 60.0,
    "h": 3600.0,
    "hrs": 3600.0,
    "d": 86400.0,
    "days": 86400.0,
    "weeks": 604800.0,
}
_TEXT_MAX = 64
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ns|us|ms|secs|s|mins|m|hrs|h|days|d|weeks)")


def seconds(value: object, *, subject: str) -> float:
    """Seconds of `5`, `"5s"`, `"1m30s"`, or Mesos's `"5secs"` (stout's Duration::parse). Raises InvalidInput naming
    `subject`.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        total = _number(value)
    elif isinstance(value, str) and (text := value.strip()):
        total = _parse(text)
    else:
        total = math.nan
    if not math.isfinite(total) or total < 0:
        hint = 'write seconds as a number, or a length such as "500ms", "5s" or "1m30s"'
        raise InvalidInput(f"{repr(value)[:80]} is not a length of time", subject=subject, hint=hint)
    return total


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number may have any length
        return math.inf


def _parse(text: str) -> float:
    if len(text) > _TEXT_MAX:  # the expressions below take quadratic time for what is not a length
        return math.nan
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return math.nan
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
