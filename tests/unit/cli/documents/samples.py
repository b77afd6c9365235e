"""Documents made from the types that commands read: with all keys, or with those only that must be there."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

TEXTS = {
    "class": "revocable",
    "state": "running",
    "time": "2026-01-01T00:00:00.000Z",
    "since": "2026-01-01T00:00:00.000Z",
    "started_at": "2026-01-01T00:00:00.000Z",
    "code": "pod.running",
    "error": "",
    "stdin": "",
    "stdout": "",
    "stderr": "",
}


def sample(shape: Any, *, full: bool, key: str = "x") -> Any:
    """`full` has every key; else what may be null or left out is."""
    if get_origin(shape) is NotRequired:
        shape = get_args(shape)[0]
    if isinstance(shape, UnionType):
        kinds = [each for each in get_args(shape) if each is not NoneType]
        return sample(kinds[0], full=full, key=key) if full else None
    if is_typeddict(shape):
        return {
            name: sample(kind, full=full, key=name)
            for name, kind in get_type_hints(shape, include_extras=True).items()
            if full or get_origin(kind) is not NotRequired
        }
    if get_origin(shape) is list:
        return [sample(get_args(shape)[0], full=full, key=key)]
    if get_origin(shape) is dict:
        return {"key": sample(get_args(shape)[1], full=full, key=key)} if full else {}
    values: dict[Any, Any] = {str: TEXTS.get(key, f"some-{key}"), int: 1, float: 1.5, bool: True, Any: None}
    return values[shape]


def from_schema(schema: Any, load: Any, *, full: bool) -> Any:
    """A document that a schema of packaging/doc/schema allows: with all properties, or the required ones only."""
    if "$ref" in schema:
        return from_schema(load(schema["$ref"]), load, full=full)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else (kinds[0] if full else kinds[-1])
    if kind == "object":
        wanted = schema.get("properties", {}) if full else schema.get("required", ())
        return {key: from_schema(schema["properties"][key], load, full=full) for key in wanted}
    if kind == "array":
        return [from_schema(schema["items"], load, full=full)]
    values = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
    return values[kind]
