"""The form of a document: its fields and their types, as the Structs and their marks have them. Pure.

`read` finds every fault of the form and gives the document as its Struct with them, so that what the fields say can
be judged too. What a fault leaves over has a neutral value: that of an absent field, or an empty one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from executor.errors import InvalidTask, together
from executor.spec.reading import marks
from executor.spec.reading.marks import FieldRule, Kind, Mark, Status, join, shown

_SHOWN = 80
_GUESSES_MAX = 20
"""Fields whose meant name is looked for: that takes its time."""

Decoded = TypeVar("Decoded", bound=msgspec.Struct)


@dataclass(frozen=True)
class Reading(Generic[Decoded]):
    """`without_effect` are the paths of accepted fields that ask for something."""

    value: Decoded
    faults: tuple[InvalidTask, ...]
    without_effect: tuple[str, ...]


@dataclass
class _Found:
    faults: list[InvalidTask] = field(default_factory=list)
    without_effect: list[str] = field(default_factory=list)
    guesses: int = 0
    paths: set[str] = field(default_factory=set)

    def effectless(self, path: str) -> None:
        """What is below such a field is not listed again."""
        last = self.without_effect[-1] if self.without_effect else None
        if last is None or not path.startswith((f"{last}.", f"{last}[")):
            self.without_effect.append(path)

    def fault(self, path: str, message: str, hint: str = "") -> None:
        """The first of a path: a required field whose value was refused is not missing too."""
        if path not in self.paths:
            self.paths.add(path)
            self.faults.append(InvalidTask(message, subject=path, hint=hint))


def read(document: Any, struct: type[Decoded], path: str = "") -> Reading[Decoded]:
    """Raises InvalidTask only for what is not a mapping at all."""
    if not isinstance(document, Mapping):
        raise InvalidTask(f"expected object, got {_type(document)}", subject=path)
    found = _Found()
    kept = _fields(document, struct, path, found)
    try:
        value = msgspec.convert(kept, struct)
    except msgspec.ValidationError:
        value = msgspec.convert(_typed(kept, struct, path, found), struct)
    return Reading(value, tuple(found.faults), tuple(sorted(found.without_effect)))


def decode(document: Any, struct: type[Decoded], path: str = "") -> Decoded:
    """The document as its Struct. Raises InvalidTask, or FaultyTask for several faults."""
    reading = read(document, struct, path)
    if reading.faults:
        raise together(reading.faults)
    return reading.value


def _fields(document: Mapping[str, Any], struct: type[msgspec.Struct], path: str, found: _Found) -> dict[str, Any]:
    """The fields that may be used. Kubernetes and protobuf take a null for an absent field, and so it is left out."""
    known = marks.rules(struct)
    kept: dict[str, Any] = {}
    for name, value in document.items():
        place = join(path, shown(name))
        if value is None:
            continue
        if (rule := known.get(name)) is None and "/" in name and (family := known.get(marks.FAMILY)) is not None:
            _take_member(name, value, family, kept, place, found)
        elif rule is None:
            unknown = getattr(struct, "UNKNOWN", "is not a field that is known here")
            found.fault(place, unknown, _advice(name, known, found))
        elif _usable(value, rule, place, found):
            kept[name] = _below(value, rule, place, found)
    return kept


def _take_member(name: str, value: Any, family: FieldRule, kept: dict[str, Any], place: str, found: _Found) -> None:
    if (typed := _leaf(value, family.item, place, found)) is not msgspec.UNSET:
        kept.setdefault(family.name, {})[name] = typed
        found.effectless(place)


def _advice(name: str, known: Mapping[str, FieldRule], found: _Found) -> str:
    found.guesses += 1
    close = difflib.get_close_matches(name[:_SHOWN], known, n=1) if found.guesses <= _GUESSES_MAX else []
    return f"did you mean {close[0]}?" if close else "remove it"


def _usable(value: Any, rule: FieldRule, place: str, found: _Found) -> bool:
    mark, count = rule.mark, len(found.faults)
    if mark.only is not None and not _among(value, mark.only):
        _unwanted(place, value, mark, found)
    elif rule.choices and value not in rule.choices:
        if value == "" and not rule.required:  # Go does not tell an empty word from an absent one
            return False
        hint = "use " + " or ".join(choice for choice in rule.choices if choice)
        found.fault(place, f"{str(value)[:_SHOWN]!r} is not a value of this field", hint)
    elif isinstance(value, list | tuple | Mapping) and len(value) > mark.most:
        found.fault(place, f"has {len(value)} items, which is more than {mark.most}")
    elif mark.status is Status.ACCEPTED and mark.reported and value not in marks.ASKS_FOR_NOTHING:
        found.effectless(place)
    return len(found.faults) == count


def _among(value: Any, choices: Iterable[Any]) -> bool:
    """As `in`, but 0 and 1 are no booleans."""
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _unwanted(place: str, value: Any, mark: Mark, found: _Found) -> None:
    if mark.status is Status.REFUSED:
        found.fault(place, mark.note, mark.hint or "remove it")
        return
    choices = ", ".join(str(choice) for choice in mark.only or ())
    note = f": {mark.note}" if mark.note else ""
    found.fault(place, f"{str(value)[:_SHOWN]!r} is not supported{note}", f"supported: {choices}")


def _below(value: Any, rule: FieldRule, place: str, found: _Found) -> Any:
    shape = rule.shape
    if shape.kind is Kind.MAPPING and rule.item is str and isinstance(value, Mapping):
        return {key: "" if item is None else item for key, item in value.items()}  # as Go reads a map of texts
    if shape.struct is None:
        return _without_nulls(value)
    if shape.kind is Kind.STRUCT and isinstance(value, Mapping):
        return _fields(value, shape.struct, place, found)
    if shape.kind is Kind.LIST and isinstance(value, list | tuple):
        return [
            _fields(item, shape.struct, f"{place}[{index}]", found) if isinstance(item, Mapping) else item
            for index, item in enumerate(value)
        ]
    return value


def _without_nulls(value: Any) -> Any:
    """Go reads a null in a list of texts as an empty one."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return ["" if item is None else _without_nulls(item) for item in value]
    return value


def _typed(kept: Mapping[str, Any], struct: type[msgspec.Struct], path: str, found: _Found) -> dict[str, Any]:
    """Again, field by field: what has a wrong type or is missing is a fault, and replaced."""
    typed: dict[str, Any] = {}
    for name, rule in marks.rules(struct).items():
        place = join(path, name)
        if name in kept:
            typed[name] = _typed_field(kept[name], rule, place, found)
        elif rule.required:
            found.fault(place, "is missing", "it is required")
        if rule.required and typed.get(name, msgspec.UNSET) is msgspec.UNSET:
            typed[name] = _neutral(rule)
    return {name: value for name, value in typed.items() if value is not msgspec.UNSET}


def _typed_field(value: Any, rule: FieldRule, place: str, found: _Found) -> Any:
    """UNSET for a value that is of no use."""
    shape = rule.shape
    if shape.kind is Kind.STRUCT and shape.struct is not None and isinstance(value, Mapping):
        return _typed(value, shape.struct, place, found)
    if shape.kind is Kind.LIST and isinstance(value, list):
        return _typed_items(value, rule, place, found)
    if shape.kind is Kind.MAPPING and isinstance(value, Mapping):
        items = {key: _leaf(item, rule.item, f"{place}['{shown(str(key))}']", found) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not msgspec.UNSET}
    return _leaf(value, rule.type, place, found)


def _typed_items(value: list[Any], rule: FieldRule, place: str, found: _Found) -> list[Any]:
    items = [_typed_item(item, rule, f"{place}[{index}]", found) for index, item in enumerate(value)]
    return [item for item in items if item is not msgspec.UNSET]


def _typed_item(item: Any, rule: FieldRule, path: str, found: _Found) -> Any:
    if rule.shape.struct is not None and isinstance(item, Mapping):
        return _typed(item, rule.shape.struct, path, found)
    return _leaf(item, rule.item, path, found)


_AT = re.compile(r"(.*) - at `(?:key in )?\$\.?(.*)`", re.DOTALL)


def _leaf(value: Any, kind: Any, place: str, found: _Found) -> Any:
    """msgspec says "Expected `str`, got `int` - at `$[0]`"."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        match = _AT.fullmatch(str(error))
        message, inner = match.groups() if match else (str(error), "")
        found.fault(join(place, inner), message[0].lower() + message[1:].replace("`", ""))
        return msgspec.UNSET
    return value


def _neutral(rule: FieldRule) -> Any:
    """A value of the field's type that says nothing. Raises TypeError for a type that has none: a test looks."""
    if rule.shape.kind is Kind.STRUCT and rule.shape.struct is not None:
        fields = marks.rules(rule.shape.struct).items()
        return {name: _neutral(below) for name, below in fields if below.required}
    if rule.choices:
        return rule.choices[0]
    candidates: tuple[Any, ...] = ([], {}, "", "-", 0, 1, False)
    for candidate in candidates:
        try:
            msgspec.convert(candidate, rule.type)
        except msgspec.ValidationError:
            continue
        return candidate
    raise TypeError(f"{rule.name} has a type without a neutral value")


def _type(value: Any) -> str:
    names = {bool: "bool", str: "str", int: "int", float: "float", type(None): "null"}
    return names.get(type(value), "array")
