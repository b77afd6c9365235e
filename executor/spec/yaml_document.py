"""YAML as far as a manifest needs it, built from the parser's events. Pure.

Building from events gives what a loader cannot: a bound on nesting before anything recurses (libyaml's own composer
overflows the C stack on deep input), no aliases and so no document that grows when read, no tags and so no
constructors, and duplicate keys as errors. Plain scalars are resolved by the YAML 1.2 core schema: `yes`, `12:30` and
dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from executor.errors import InvalidTask
from executor.spec.bounds import MAX_DEPTH, MAX_VALUES, SUBJECT

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    spelling: value
    for word, value in (("true", True), ("false", False))
    for spelling in (word, word.title(), word.upper())
}
_INT = re.compile(r"[-+]?[0-9]{1,19}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_DIRECTIVE = re.compile("(?m)^%")
_STRING = "tag:yaml.org,2002:str"


def load_all(text: str) -> list[Any]:
    """The documents in the text but for empty ones. Raises InvalidTask."""
    if directive := _DIRECTIVE.search(text):  # libyaml compares each %TAG with all before it, and reads them at once
        line = text.count("\n", 0, directive.start()) + 1
        raise InvalidTask(f"is YAML that cannot be used: directives are not accepted (line {line})", subject=SUBJECT)
    try:
        return _documents(yaml.parse(text, Loader=_Parser))
    except yaml.YAMLError as error:
        raise InvalidTask(f"is not YAML: {_oneline(error)}", subject=SUBJECT) from error


def _oneline(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    return f"{problem}{where}" if problem else " ".join(str(error).split())[:200]


def _documents(parsed: Iterator[Any]) -> list[Any]:
    events = _counted(parsed)
    found = [_value(next(events), events, 0) for event in events if isinstance(event, yaml.DocumentStartEvent)]
    return [value for value in found if value is not None]


def _counted(events: Iterator[Any]) -> Iterator[Any]:
    """Each value and key has one event at least, a list or mapping two."""
    for count, event in enumerate(events):
        if count > 2 * MAX_VALUES:
            _refuse(event, f"it has more than {MAX_VALUES} values")
        yield event


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        _refuse(event, f"nests deeper than {MAX_DEPTH}")
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        _refuse(event, "anchors and aliases are not accepted", "write the value out")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if event.tag is not None:
        _refuse(event, f"the tag {event.tag} is not accepted")
    if isinstance(event, yaml.SequenceStartEvent):
        return _list(events, depth)
    return _mapping(events, depth)


def _list(events: Iterator[Any], depth: int) -> list[Any]:
    found = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        found.append(_value(event, events, depth + 1))
    return found


def _mapping(events: Iterator[Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _value(event, events, depth + 1)
        if not isinstance(key, str):
            _refuse(event, "a key is no text", "quote it")
        if key in found:
            _refuse(event, f"the key {key[:80]!r} is there twice")
        found[key] = _value(next(events), events, depth + 1)
    return found


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag not in (None, "!", _STRING):
        _refuse(event, f"the tag {event.tag} is not accepted", "quote the value")
    if not event.implicit[0]:  # quoted, a block, or tagged as text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _refuse(event: Any, message: str, hint: str = "") -> NoReturn:
    mark = event.start_mark
    raise InvalidTask(f"is YAML that cannot be used: {message} (line {mark.line + 1})", subject=SUBJECT, hint=hint)
