"""Plain scalars mean what go-yaml 2 makes of them, which kubectl uses. The values were read in its resolve.go."""

from __future__ import annotations

from typing import Any

import pytest

from executor.spec.reading import yaml_scalars
from tests.support.cases import check_each

READ: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    "yEs": "yEs",
    "nul": "nul",
    "0": 0,
    "+1": 1,
    "-12": -12,
    "1_000": 1000,
    "0755": 493,
    "-0755": -493,
    "0o755": 493,
    "0x1F": 31,
    "0b101": 5,
    "08": 8,
    "0x": "0x",
    "0xg": "0xg",
    "9223372036854775808": 2**63,
    "18446744073709551615": 2**64 - 1,
    "18446744073709551616": 2**64,
    "1.5": 1.5,
    "1.0": 1,
    ".5": 0.5,
    "1.": 1,
    "1e3": 1000,
    "-1.5e-3": -0.0015,
    "1e22": 1e22,
    ".": ".",
    "1.2.3": "1.2.3",
    "12:30": "12:30",
    "2026-01-02": "2026-01-02",
    "2020-01-01T00:00:00Z": "2020-01-01T00:00:00Z",
    "128Mi": "128Mi",
    "100m": "100m",
    "1_a": "1_a",
    "=": "=",
}


def test_plain_scalars() -> None:
    check_each(((text, (text, value)) for text, value in READ.items()), is_read)


def is_read(scalar: tuple[str, Any]) -> None:
    text, value = scalar
    found = yaml_scalars.resolved(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", [".nan", ".NaN", ".inf", "-.Inf", "+.INF", "1e999"])
def test_what_json_has_no_number_for(text: str) -> None:
    with pytest.raises(ValueError, match="a value is not a number of JSON"):
        yaml_scalars.resolved(text)
