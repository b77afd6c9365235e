"""JSON from outside, with a bound on its size, its nesting and the number of its values. Pure.

Python's own reader has none of them: nesting ends in a RecursionError, which is not a ValueError, and a few megabytes
of brackets become a hundred of objects while no other thread runs. All three bounds are checked on the text before
anything is read, in time that is linear in its length. Whole numbers have DIGITS_MAX digits at most. Messages name the
bound, and where a number is too long its path; never the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

DIGITS_MAX: Final = 1000
"""The digits of a whole number: more than any field needs, so that the field's own bound is the one that is named."""


class JsonBoundError(ValueError):
    """The text is larger, deeper or has more values than its reader allows, or a number that is too long at `path`."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message, self.path = message, path


@dataclass(frozen=True, slots=True)
class Bounds:
    """`values` counts the keys of objects too."""

    size_bytes: int
    depth: int = 64
    values: int = 20_000


DOCUMENT = Bounds(1 << 20)
"""What one configuration, result, request or record of this node may hold."""
RESULT = Bounds(1 << 20, values=5_000)
"""What a CNI plugin prints: some hundred addresses and routes."""
IMAGE_DOCUMENT = Bounds(4 << 20, values=50_000)
"""Manifests have at most 4 MiB (OCI distribution specification, "Pushing Manifests")."""
RECORD = Bounds(8 << 20, depth=128, values=100_000)
"""What this program wrote itself, with several documents from outside in it."""
MESSAGE = Bounds(256 << 10, depth=16, values=10_000)
"""A framework's MESSAGE: a request of a revocation names thousands of tasks at most."""
LINE = Bounds(256 << 10, values=5_000)
"""One line of a file of JSON lines."""

_PATH_SHOWN = 200
_LONG_NUMBER = b"0" * (DIGITS_MAX + 1)
_DIGITS_AS_ZEROS = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def loads(
    text: str | bytes,
    bounds: Bounds = DOCUMENT,
    *,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """As json.loads, of UTF-8. Raises JsonBoundError above a bound, ValueError for what is not JSON; nothing else."""
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    check(data, bounds)
    decoded = text if isinstance(text, str) else data.decode("utf-8-sig")
    # A text may have such digits too. A regular expression would look at each digit up to DIGITS_MAX times.
    whole = _whole_number if _LONG_NUMBER in data.translate(_DIGITS_AS_ZEROS) else None
    try:
        value = json.loads(decoded, object_pairs_hook=object_pairs_hook, parse_constant=parse_constant, parse_int=whole)
    except RecursionError as error:  # the caller itself is deep in calls
        raise JsonBoundError("nests too deeply") from error
    if whole is not None and (path := next(_long_numbers(value), None)) is not None:
        raise JsonBoundError(f"is a number with more than {DIGITS_MAX} digits", path[:_PATH_SHOWN])
    return value


class _LongNumber:
    """Stands for one until its path is known."""


def _whole_number(text: str) -> int | _LongNumber:
    return int(text) if len(text.removeprefix("-")) <= DIGITS_MAX else _LongNumber()


def _long_numbers(value: Any, path: str = "") -> Iterator[str]:
    """Their paths. No deeper than the bounds allow."""
    if isinstance(value, _LongNumber):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _long_numbers(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _long_numbers(item, f"{path}[{index}]")


def check(data: bytes, bounds: Bounds) -> None:
    """Raises JsonBoundError if the text is above a bound, whether it is JSON or not."""
    if len(data) > bounds.size_bytes:
        raise JsonBoundError(f"has more than {bounds.size_bytes} bytes")
    openers = data.count(b"[") + data.count(b"{")
    if openers <= bounds.depth and openers + _separators(data) < bounds.values:
        return  # even if every such byte stood outside of strings
    bare = _outside_strings(data, bounds)
    if bare.count(b"[") + bare.count(b"{") + _separators(bare) >= bounds.values:
        raise JsonBoundError(f"has more than {bounds.values} values")
    if _depth(bare) > bounds.depth:
        raise JsonBoundError(f"nests deeper than {bounds.depth}")


def _outside_strings(data: bytes, bounds: Bounds) -> bytes:
    """What is left without texts; a text without its end reaches to the end. Linear: no byte is looked at twice."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 2 * bounds.values:
        raise JsonBoundError(f"has more than {bounds.values} values")
    return b"".join(plain.split(b'"')[::2])


def _separators(data: bytes) -> int:
    """Each value and each key but the first stands behind a bracket, a comma or a colon."""
    return data.count(b",") + data.count(b":")


def _depth(bare: bytes) -> int:
    depth = deepest = 0
    for byte in bare.translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
