"""A checker for the published JSON schemas (packaging/doc/schema): the few keywords of draft 2020-12 that they use.

It is stricter than a consumer's: a property that a schema does not name is a fault, for the schemas are to be complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

DIRECTORY: Final = Path(__file__).resolve().parents[2] / "packaging/doc/schema"
KEYWORDS: Final = frozenset(
    {
        "$ref", "$schema", "additionalProperties", "anyOf", "const", "description", "enum", "items", "maxProperties",
        "minProperties", "pattern", "properties", "required", "title", "type",
    }
)  # fmt: skip
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}


def load(name: str) -> Any:
    return json.loads((DIRECTORY / name).read_text())


def faults(name: str, document: object) -> list[str]:
    """Where `document` is not as the schema `name` (without .json) says, each with its path."""
    return list(_check(load(f"{name}.json"), document, "$"))


def _check(schema: Mapping[str, Any], value: object, at: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _check(load(schema["$ref"]), value, at)
        return
    if "anyOf" in schema and all(any(_check(each, value, at)) for each in schema["anyOf"]):
        yield f"{at}: none of the alternatives fits {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "type" in schema and not _is(schema["type"], value):
        yield f"{at}: {value!r} is not of type {schema['type']}"
    elif isinstance(value, dict):
        yield from _check_object(schema, value, at)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _check(schema.get("items", {}), each, f"{at}[{index}]")
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{at}: {value!r} does not match {schema['pattern']}"


def _check_object(schema: Mapping[str, Any], value: Mapping[str, Any], at: str) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    yield from (f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value)
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        yield f"{at}: has {len(value)} properties"
    for key, each in value.items():
        if key in properties:
            yield from _check(properties[key], each, f"{at}.{key}")
        elif isinstance(others, dict):
            yield from _check(others, each, f"{at}.{key}")
        elif not others and "anyOf" not in schema:
            yield f"{at}: {key} is not in the schema"


def _is(names: str | list[str], value: object) -> bool:
    wanted = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _TYPES[name]) for name in wanted)
