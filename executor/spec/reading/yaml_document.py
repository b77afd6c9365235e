"""YAML as kubectl reads it, as far as a manifest needs it, built from the parser's events. Pure.

Building from events gives what a loader cannot: a bound on nesting before anything recurses (libyaml's own composer
overflows the C stack on deep input), aliases that count as much as what they stand for, so that no small document is a
large one, no tags but those of scalars and so no constructors, and duplicate keys as errors. A merge key (`<<`) is
filled in where it stands: a key after it wins over it, and it over a key before it, as in go-yaml 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from executor.errors import InvalidTask
from executor.spec.reading import yaml_scalars
from executor.spec.reading.bounds import MAX_DEPTH, MAX_JSON_BYTES, MAX_VALUES, SUBJECT

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DIRECTIVE = re.compile(r"(?m)^%(?!YAML 1\.1\s*$)")
_TAG = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}null": (type(None),),
}
_COLLECTIONS = (None, "!", f"{_TAG}map", f"{_TAG}seq")
_EXPANDED_MAX = MAX_JSON_BYTES
"""Letters of all texts once the aliases are filled in."""


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
    reader = _Reader(parsed)
    found = []
    while (event := reader.next(None)) is not None:
        if isinstance(event, yaml.DocumentStartEvent):
            found.append(reader.document())
    return [value for value in found if value is not None]


@dataclass(frozen=True)
class _Anchored:
    """A value with the count of values in it, keys included, and the letters of its texts."""

    value: Any
    count: int
    letters: int


class _Reader:
    """`count` and `letters` are those of all documents, with aliases filled in."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Anchored | None] = {}
        self.count = 0
        self.letters = 0

    def next(self, *default: Any) -> Any:
        return next(self._events, *default)

    def document(self) -> Any:
        self._anchors = {}
        return self._value(self.next(), 0)

    def _value(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            _refuse(event, f"nests deeper than {MAX_DEPTH}")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.anchor is not None:
            return self._anchored(event, depth)
        return self._made(event, depth)

    def _made(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            self._spend(event, 1, len(event.value))
            return _scalar(event)
        self._spend(event, 1, 0)
        if event.tag not in _COLLECTIONS:
            _refuse(event, f"the tag {event.tag[:80]} is not accepted")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(depth)
        return self._mapping(depth)

    def _spend(self, event: Any, count: int, letters: int) -> None:
        self.count += count
        self.letters += letters
        if self.count > MAX_VALUES:
            _refuse(event, f"it has more than {MAX_VALUES} values")
        if self.letters > _EXPANDED_MAX:
            _refuse(event, f"its aliases make it larger than {_EXPANDED_MAX // 1024} KiB")

    def _anchored(self, event: Any, depth: int) -> Any:
        self._anchors[event.anchor] = None
        count, letters = self.count, self.letters
        value = self._made(event, depth)
        self._anchors[event.anchor] = _Anchored(value, self.count - count, self.letters - letters)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            _refuse(event, f"the anchor {event.anchor[:80]!r} is unknown")
        anchored = self._anchors[event.anchor]
        if anchored is None:
            _refuse(event, f"the anchor {event.anchor[:80]!r} contains itself")
        self._spend(event, anchored.count, anchored.letters)
        return anchored.value

    def _list(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            found.append(self._value(event, depth + 1))
        return found

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        written: set[str] = set()
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            if _is_merge(event):
                self._merge(found, depth)
                continue
            key = self._key(event, depth)
            if key in written:
                _refuse(event, f"the key {key[:80]!r} is there twice")
            written.add(key)
            found[key] = self._value(self.next(), depth + 1)
        return found

    def _key(self, event: Any, depth: int) -> str:
        value = self._value(event, depth + 1)
        if isinstance(value, dict | list) or value is None:
            _refuse(event, "a key is not text", "quote it")
        return yaml_scalars.key(value)

    def _merge(self, found: dict[str, Any], depth: int) -> None:
        event = self.next()
        value = self._value(event, depth + 1)
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in merged):
            _refuse(event, "<< needs a mapping, or a list of mappings")
        for each in reversed(merged):
            found.update(each)


def _is_merge(event: Any) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]


def _scalar(event: Any) -> Any:
    """A quoted text, a block and what is tagged so are texts. No message has the value: it may be a secret."""
    if event.tag in ("!", f"{_TAG}str") or (event.tag is None and not event.implicit[0]):
        return event.value
    if event.tag is not None and event.tag not in _TYPES:
        _refuse(event, f"the tag {event.tag[:80]} is not accepted", "quote the value")
    try:
        value = yaml_scalars.resolved(event.value)
    except ValueError as error:
        _refuse(event, str(error), "quote it if it is a text")
    if event.tag is not None and type(value) not in _TYPES[event.tag]:
        _refuse(event, f"a value is no {event.tag.removeprefix(_TAG)}")
    return value


def _refuse(event: Any, message: str, hint: str = "") -> NoReturn:
    mark = event.start_mark
    raise InvalidTask(f"is YAML that cannot be used: {message} (line {mark.line + 1})", subject=SUBJECT, hint=hint)
