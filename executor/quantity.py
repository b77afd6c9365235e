"""Kubernetes quantities: `100m`, `1.5`, `128Mi`, `1e3` (apimachinery, pkg/api/resource/quantity.go). Pure.

A quantity is exact; rounding happens where it becomes bytes or cores, and then upwards, as Kubernetes does.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from executor.errors import InvalidTask

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))(?:([eE][+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_MOST = 2**63 - 1


def parse(value: str | float, *, subject: str) -> Fraction:
    """The exact value, from 0 to 2^63 - 1. Raises InvalidTask naming `subject`."""
    text = repr(value) if isinstance(value, float) else str(value)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        hint = "write a number with a suffix, such as 250m, 2, 64Mi or 1Gi"
        raise InvalidTask(f"{text[:40]!r} is not a Kubernetes quantity", subject=subject, hint=hint)
    number, exponent, suffix = match.groups(default="")
    result = Fraction(number + exponent)
    result *= 2 ** _BINARY[suffix] if suffix in _BINARY else Fraction(10) ** _DECIMAL[suffix]
    if not 0 <= result <= _MOST:
        raise InvalidTask(f"{text[:40]!r} is out of range: from 0 to 2^63 - 1", subject=subject)
    return result


def cores(value: str | float, *, subject: str) -> float:
    """CPUs in cores, above 0, rounded up to a thousandth. Raises InvalidTask."""
    thousandths = math.ceil(parse(value, subject=subject) * 1000)
    if thousandths == 0:
        raise InvalidTask("must be above 0", subject=subject, hint="leave it out for no limit of its own")
    return thousandths / 1000


def size(value: str | float, *, subject: str) -> int:
    """Bytes, rounded up. Raises InvalidTask."""
    return math.ceil(parse(value, subject=subject))
