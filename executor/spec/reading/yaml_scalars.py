"""What a plain scalar of YAML means, as kubectl reads it. Pure.

kubectl reads manifests with sigs.k8s.io/yaml, which is go-yaml 2 (goyaml.v2/resolve.go, decode.go) and then JSON: YAML
1.1 without its sexagesimal numbers, and dates stay text. `0755` and `0o755` are octal, `1_000` is a thousand, `y`, `no`
and `on` are booleans. A float without a fraction is a whole number, as it is in JSON.
"""

from __future__ import annotations

import re
from typing import Final

Scalar = str | int | float | bool | None

_TRUE: Final = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE: Final = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: Final[dict[str, bool | None]] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"), None) | dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
)
_NOT_IN_JSON: Final = re.compile(r"\.(nan|NaN|NAN)|[-+]?\.(inf|Inf|INF)")
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9a-fA-FxXoO_]{0,63}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]{1,64}|[0-9]{1,64}(\.[0-9]{0,64})?)([eE][-+]?[0-9]{1,3})?")
_BASES: Final = {"0x": 16, "0o": 8, "0b": 2}
_NO_NUMBER: Final = "a value is not a number of JSON"
_WHOLE_BELOW: Final = 1e21
"""From here on Go writes a float into JSON with an exponent."""


def resolved(text: str) -> Scalar:
    """Raises ValueError for what JSON cannot hold: not a number, infinity. Its message does not have the text."""
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_IN_JSON.fullmatch(text):
        raise ValueError(_NO_NUMBER)
    plain = text.replace("_", "") if _NUMBER.fullmatch(text) else text
    if (whole := _whole(plain)) is not None:
        return whole
    return _float(plain) if _FLOAT.fullmatch(plain) else text


def key(value: Scalar) -> str:
    """The text of a key that is a number or a boolean. Raises ValueError for null."""
    if value is None:
        raise ValueError("null is not a key")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(plain: str) -> int | None:
    """As strconv.ParseInt and ParseUint read it with base 0, in 64 bits."""
    if not _NUMBER.fullmatch(plain):
        return None
    digits = plain.lstrip("+-")
    base = _BASES.get(digits[:2].lower(), 8 if digits.startswith("0") and len(digits) > 1 else 10)
    try:
        size = int(digits[2:] if digits[:2].lower() in _BASES else digits, base)
    except ValueError:
        return None
    value = -size if plain.startswith("-") else size
    return value if -(2**63) <= value < 2**64 and not (plain.startswith("+") and value >= 2**63) else None


def _float(plain: str) -> int | float:
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        raise ValueError(_NO_NUMBER)
    return int(value) if value.is_integer() and abs(value) < _WHOLE_BELOW else value
