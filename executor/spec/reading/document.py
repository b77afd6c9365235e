"""From the bytes of `TaskInfo.data` to documents: base64, gzip, then JSON or YAML. Pure.

The bytes are a framework's, so nothing in them may cost more than they are worth: what gzip inflates and what YAML's
aliases stand for is bounded, and nothing nests deeper or has more values than any pod does. A key that is written
twice is an error, as in the API server's strict decoding. A document holds dict, list, str, int, float, bool and
None only.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

from executor import bounded_json
from executor.bounded_json import Bounds, JsonBoundError
from executor.errors import InvalidTask
from executor.spec.reading.bounds import DOCUMENTS_MAX, MAX_DEPTH, MAX_JSON_BYTES, MAX_VALUES, MAX_YAML_BYTES, SUBJECT

_GZIP = b"\x1f\x8b"
_GZIP_BASE64 = "H4s"  # with deflate, the one method that there is
_JSON = re.compile(r'\s*(\[\s*)?\{\s*(["}]|\Z)')
"""A mapping whose first key is quoted, or a list of such; one in braces without quotes is YAML."""
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def documents(data: Any) -> list[dict[str, Any]]:
    """The mappings that base64 text describes: one, several in YAML, or the items of a List. Raises InvalidTask."""
    return mappings(values(_decoded(data)))


def values(raw: bytes, *, most_bytes: int = MAX_JSON_BYTES) -> list[Any]:
    """What the text of a manifest has on its top level: one value, or several in YAML. Raises InvalidTask."""
    try:
        text = _inflated(raw, most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidTask("is not UTF-8 text", subject=SUBJECT, hint=HINT) from error
    return [_json(text, most_bytes)] if _JSON.match(text) else _yaml(text)


def mappings(found: Sequence[Any]) -> list[dict[str, Any]]:
    """These, with the items of a List in its place. Raises InvalidTask for anything but mappings."""
    found = [item for one in found for item in _items(one)]
    if len(found) > DOCUMENTS_MAX:
        raise InvalidTask(f"has {len(found)} documents, which is more than {DOCUMENTS_MAX}", subject=SUBJECT)
    if not found or not all(isinstance(one, dict) for one in found):
        raise InvalidTask("is not a mapping", subject=SUBJECT, hint=HINT)
    vet(found)
    return found


def _items(document: Any) -> list[Any]:
    """The items of a List as `kubectl get -o json` prints it; any other document is one item."""
    if not isinstance(document, dict) or document.get("kind") != "List":
        return [document]
    items = document.get("items")
    if not isinstance(items, list):
        raise InvalidTask("is a List with no list of items", subject=SUBJECT, hint=HINT)
    return items


def inflates_within(data: Any, most_bytes: int) -> bool:
    """Whether the base64 text is not a gzip, or one of so many bytes at most; a broken one as far as it can be read."""
    if not isinstance(data, str) or not data.startswith(_GZIP_BASE64):
        return True
    try:
        return (
            len(zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(_decoded(data), most_bytes + 1)) <= most_bytes
        )
    except (InvalidTask, zlib.error):
        return True


HINT = "put a Kubernetes v1 Pod as JSON or YAML there, base64 encoded, or leave it out"


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidTask("is not base64", subject=SUBJECT, hint=HINT) from error


def _inflated(raw: bytes, most_bytes: int) -> bytes:
    if not raw.startswith(_GZIP):
        return _bounded(raw, most_bytes)
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = stream.decompress(raw, most_bytes + 1)
    except zlib.error as error:
        raise InvalidTask(f"is not a valid gzip: {error}", subject=SUBJECT, hint=HINT) from error
    _bounded(plain, most_bytes)
    if not stream.eof or stream.unused_data:
        raise InvalidTask("is not a complete gzip, or has something after it", subject=SUBJECT, hint=HINT)
    return plain


def _bounded(raw: bytes, most: int) -> bytes:
    if len(raw) > most:
        raise InvalidTask(
            f"is larger than {most // 1024} KiB",
            subject=SUBJECT,
            hint="pods are small: move data to an image or a volume",
        )
    return raw


def _json(text: str, most_bytes: int) -> Any:
    bounds = Bounds(most_bytes, depth=MAX_DEPTH, values=MAX_VALUES)
    try:
        return bounded_json.loads(text, bounds, object_pairs_hook=_unique, parse_constant=_no_constant)
    except JsonBoundError as error:
        raise InvalidTask(error.message, subject=error.path or SUBJECT) from error
    except ValueError as error:
        raise InvalidTask(f"is not JSON: {error}", subject=SUBJECT, hint=HINT) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise InvalidTask(f"has the key {twice[:80]!r} twice", subject=SUBJECT)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _yaml(text: str) -> list[Any]:
    _bounded(text.encode(), MAX_YAML_BYTES)
    from executor.spec.reading import yaml_document  # its library is loaded for frameworks that send YAML

    return yaml_document.load_all(text)


def vet(value: Any, *, subject: str = SUBJECT, depth: int = 0) -> None:
    """What no field of any pod may hold: deep nesting, a NUL, half a surrogate pair. Raises InvalidTask."""
    if depth > MAX_DEPTH:
        raise InvalidTask(f"nests deeper than {MAX_DEPTH}", subject=subject)
    if isinstance(value, dict):
        for key, item in value.items():
            vet(key, subject=subject, depth=depth + 1)
            vet(item, subject=subject, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            vet(item, subject=subject, depth=depth + 1)
    elif isinstance(value, str) and _UNUSABLE.search(value):
        raise InvalidTask("holds a NUL or half a surrogate pair in a text", subject=subject)
