"""The published JSON schemas: well formed, complete, and a checker that finds what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.cli.main import COMMANDS
from tests.support.golden import expected
from tests.support.schema import DIRECTORY, KEYWORDS, faults, load

NAMES = sorted(path.name for path in DIRECTORY.glob("*.json"))


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    children = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    children += [each for key in ("items", "additionalProperties") if isinstance(each := schema.get(key), dict)]
    for child in children:
        yield from subschemas(child)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_well_formed(name: str) -> None:
    schema = load(name)
    assert schema["$schema"].endswith("draft/2020-12/schema") and schema["title"]
    for each in subschemas(schema):
        assert set(each) <= KEYWORDS
        assert set(each.get("required", ())) <= set(each.get("properties", ()))
        assert each.get("$ref", NAMES[0]) in NAMES


SCHEMAS = {"revoke": "receipt", "events": "event"}
"""Where a schema has another name than its command: `revoke` is the request's."""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_schema(command: str) -> None:
    assert f"{SCHEMAS.get(command, command)}.json" in NAMES


REVOKE = {"select": {"all": True}, "grace": "5s"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (REVOKE, ""),
        ({**REVOKE, "grace": None}, "$.grace: None is not of type"),
        ({**REVOKE, "dry_run": 1}, "$.dry_run: 1 is not of type boolean"),
        ({"select": {"all": False}}, "$.select.all: False is not True"),
        ({"select": {"tasks": ["a", 2]}}, "$.select.tasks[1]: 2 is not of type string"),
        ({"select": {}}, "$.select: has 0 properties"),
        ({"select": {"all": True, "roles": []}}, "$.select: has 2 properties"),
        ({"select": {"labels": {"a": 1}}}, "$.select.labels.a: 1 is not of type string"),
        ({"slect": {}}, "$: slect is not in the schema"),
        ({"id": "a b"}, "$.id: 'a b' does not match"),
        ([], "$: [] is not of type object"),
    ],
)
def test_the_checker_finds_faults(document: object, words: str) -> None:
    found = faults("revoke", document)
    assert bool(found) == bool(words)
    assert any(each.startswith(words) for each in found) or not words


def test_alternatives_and_references() -> None:
    judged = {"file": "x", "ok": True, "faults": [], "without_effect": []}
    executor = {**judged, "kind": "executor", "for": "regular pods", "launch_group": True}
    assert faults("validate", executor) == []
    assert faults("validate", {**executor, "kind": "pod"})
    assert faults("ps", {"pods": []}) == []
    assert any(fault.startswith("$.pods[0]: name is missing") for fault in faults("ps", {"pods": [{}]}))


PROMISED = Path(__file__).with_name("promised_keys.txt")


def promises(schema: Any, path: str = "$") -> Iterator[str]:
    """The keys that a document has for sure, with their types."""
    for key in schema.get("required", ()):
        child = schema["properties"][key]
        yield f"{path}.{key} {json.dumps(child.get('type', child.get('$ref', '')))}"
    for key, child in schema.get("properties", {}).items():
        yield from promises(child, f"{path}.{key}")
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(child := schema.get(word), dict):
            yield from promises(child, path + mark)
    for child in schema.get("anyOf", ()):
        yield from promises(child, path)


def test_keys_that_were_promised_are_there_with_their_types() -> None:
    """A release adds its new ones with MPE_WRITE_GOLDEN=1; packaging/doc/schema/README.md has the promise."""
    found = sorted({f"{name} {each}" for name in NAMES for each in promises(load(name))})
    promised = expected(PROMISED, "".join(f"{line}\n" for line in found)).splitlines()
    assert len(promised) > 400
    assert set(promised) - set(found) == set()
