"""JSON from outside: the bounds hold before anything is read, and reading costs what the text is worth."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.bounded_json import DOCUMENT, Bounds, JsonBoundError, check, loads

SMALL = Bounds(1000, depth=4, values=20)
ABOVE = {
    "large": (b'"' + b"x" * 1000 + b'"', "1000 bytes"),
    "deep": (b"[[[[[1]]]]]", "deeper than 4"),
    "deep objects": (b'{"a":' * 5 + b"1" + b"}" * 5, "deeper than 4"),
    "deep without an end": (b"[" * 15, "deeper than 4"),
    "many values": (b"[" + b"1," * 20 + b"1]", "20 values"),
    "many keys": (json.dumps(dict.fromkeys("abcdefghijk", 1)).encode(), "20 values"),
    "many brackets": (b"[]" * 30, "20 values"),
}
# Each of these once took quadratic time or a deep stack in some reader.
ODD = {
    "quotes": b'"' * 400_000,
    "escaped quotes without an end": b'"' + b'\\"' * 200_000,
    "escaped quotes and a last backslash": b'"' + b'\\"' * 200_000 + b"\\",
    "backslashes": b'"' + b"\\" * 400_001,
    "brackets": b"[" * 400_000,
    "closing brackets": b"]" * 400_000,
    "objects": b'{"a":' * 80_000,
    "empty texts": b"[" + b'"",' * 130_000 + b"1]",
    "digits": b"9" * 400_000,
    "texts with runs of digits": b'"' + (b"9" * 1000 + b" ") * 1000 + b'"',
    "a long text with brackets": b'"' + b"[{,:" * 100_000 + b'"',
}


@pytest.mark.parametrize(("data", "words"), ABOVE.values(), ids=ABOVE)
def test_each_bound(data: bytes, words: str) -> None:
    with pytest.raises(JsonBoundError, match=words):
        loads(data, SMALL)


def test_what_is_within_the_bounds_is_read() -> None:
    assert loads(b"[[[[1]]]]", SMALL) == [[[[1]]]]
    assert loads(b"[" + b"1," * 17 + b"1]", SMALL) == [1] * 18
    assert loads('{"text": "[[[[[[[[,,,,,,,,,,,,,,,,,,,,"}', SMALL) == {"text": "[[[[[[[[,,,,,,,,,,,,,,,,,,,,"}
    assert loads('"\\"[[[[[[["', SMALL) == '"[[[[[[['
    assert loads(b"\xef\xbb\xbf1", SMALL) == 1


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_every_other_text_is_a_value_error_or_a_value_and_soon(data: bytes) -> None:
    begin = time.process_time()
    with contextlib.suppress(ValueError):
        loads(data)
    assert time.process_time() - begin < 0.5


def test_the_time_is_linear() -> None:
    def took_s(size: int) -> float:
        data = b'"' + b'\\"' * size + b"\\" + b"[" * 100
        begin = time.process_time()
        with pytest.raises(ValueError, match="Invalid"):
            loads(data, Bounds(1 << 30))
        return time.process_time() - begin

    small = min(took_s(200_000) for _ in range(3))
    large = min(took_s(1_600_000) for _ in range(3))
    assert large < 24 * small + 0.05


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_comes_back(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert loads(text) == value
        assert loads(text.encode(errors="surrogatepass")) == value if _encodable(text) else True


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (1 if isinstance(value, dict | list) else 0) + max(map(depth, inner), default=0)


@given(VALUES)
def test_depth_is_counted_exactly(value: Any) -> None:
    data = json.dumps(value).encode()
    deep = depth(value)
    check(data, Bounds(DOCUMENT.size_bytes, depth=deep))
    if deep:
        with pytest.raises(JsonBoundError):
            check(data, Bounds(DOCUMENT.size_bytes, depth=deep - 1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9" * 5_000, "^is a number with more than 1000 digits$"),
        (
            '{"spec": {"containers": [{"a": 1}, {"ports": -' + "9" * 1001 + "}]}}",
            r"^spec\.containers\[1\]\.ports: is a number",
        ),
    ],
)
def test_a_number_with_too_many_digits_is_named_with_its_path(text: str, words: str) -> None:
    with pytest.raises(JsonBoundError, match=words) as caught:
        loads(text)
    assert "sys." not in str(caught.value)


def test_long_digits_elsewhere_are_read() -> None:
    digits = "9" * 5_000
    assert loads(f'{{"{digits}": "{digits}", "b": {"9" * 1000}, "c": 0.{digits}}}') == {
        digits: digits,
        "b": int("9" * 1000),
        "c": 1.0,
    }
