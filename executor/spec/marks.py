"""What happens to each field of a document that a framework sends, said beside the field, and enforced. Pure.

Every field of a msgspec Struct of this package is annotated with a Mark. `decode` refuses what nobody marked as
usable before it looks at types, so that a typing error in a field's name is found as surely as a feature that is
missing here.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, Union

import msgspec

from executor.errors import InvalidTask

NOT_YET = "not supported yet"
_ASKS_FOR_NOTHING: tuple[Any, ...] = (False, "", [], {})
ITEMS_MAX = 1000
"""Of one list or mapping, where a field sets no other bound."""
_SHOWN = 80
_MORE_SHOWN = 4
_COUNTED = 1000


class Status(StrEnum):
    SUPPORTED = "supported"
    ACCEPTED = "accepted"  # without meaning here, by nature: it changes nothing, and nobody misses anything
    REFUSED = "refused"


@dataclass(frozen=True)
class Mark:
    """`only` are the values that pass; None: all. A refused field passes with the values that ask for nothing. A list
    or mapping has `most` items.
    """

    status: Status
    note: str = ""
    only: tuple[Any, ...] | None = None
    most: int = ITEMS_MAX


def supported(note: str = "", *, only: tuple[Any, ...] | None = None, most: int = ITEMS_MAX) -> Mark:
    return Mark(Status.SUPPORTED, note, only, most)


def accepted(note: str, *, only: tuple[Any, ...] | None = None) -> Mark:
    return Mark(Status.ACCEPTED, note, only)


def refused(note: str = NOT_YET, *, harmless: tuple[Any, ...] = _ASKS_FOR_NOTHING) -> Mark:
    return Mark(Status.REFUSED, note, harmless)


class Kind(StrEnum):
    VALUE = "value"
    LIST = "list"
    STRUCT = "struct"


@dataclass(frozen=True)
class Shape:
    """A field's type as far as documents nest: a Struct, a list of `struct` or of values, or a value."""

    kind: Kind
    struct: type[msgspec.Struct] | None


@dataclass(frozen=True)
class FieldRule:
    """`choices` are the values of a Literal; of any other type there are none."""

    name: str
    mark: Mark
    shape: Shape
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Offence:
    """`near` is the name for which a known one may have been meant; to look for that takes its time."""

    path: str
    message: str
    hint: str = ""
    near: str = ""
    known: Mapping[str, FieldRule] = field(default_factory=dict, compare=False)

    def advice(self) -> str:
        close = difflib.get_close_matches(self.near[:_SHOWN], self.known, n=1) if self.near else []
        return f"did you mean {close[0]}?" if close else self.hint


@functools.cache
def rules(struct: type[msgspec.Struct]) -> Mapping[str, FieldRule]:
    """The fields of a Struct by the names that documents use. Raises TypeError for a field that nobody marked."""
    found = {}
    for info in msgspec.structs.fields(struct):
        marks = [extra for extra in getattr(info.type, "__metadata__", ()) if isinstance(extra, Mark)]
        if len(marks) != 1:
            raise TypeError(f"{struct.__name__}.{info.name} needs exactly one mark")
        found[info.encode_name] = FieldRule(info.encode_name, marks[0], _shape(info.type), _choices(info.type))
    return found


def _choices(kind: Any) -> tuple[str, ...]:
    if typing.get_origin(kind) is Annotated:
        return _choices(typing.get_args(kind)[0])
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _shape(kind: Any) -> Shape:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _shape(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        shapes = [_shape(arg) for arg in typing.get_args(kind) if arg is not type(None)]
        return next((shape for shape in shapes if shape.kind is not Kind.VALUE), Shape(Kind.VALUE, None))
    if origin is tuple:
        return Shape(Kind.LIST, _shape(typing.get_args(kind)[0]).struct)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return Shape(Kind.STRUCT, kind)
    return Shape(Kind.VALUE, None)


def offences(document: Any, struct: type[msgspec.Struct], path: str = "") -> Iterator[Offence]:
    """Unknown and refused fields, in the document's order."""
    if not isinstance(document, Mapping):
        return  # a matter of types
    known = rules(struct)
    for name, value in document.items():
        place = f"{path}.{shown(name)}" if path else shown(name)
        if value is None:
            continue
        if (rule := known.get(name)) is None:
            yield Offence(place, "is not a field that is known here", "remove it", name, known)
        elif rule.mark.only is not None and value not in rule.mark.only:
            yield _unwanted(place, value, rule.mark)
        elif rule.choices and value not in rule.choices:
            hint = " or ".join(choice for choice in rule.choices if choice)
            yield Offence(place, f"{str(value)[:_SHOWN]!r} is no value of this field", f"use {hint}")
        elif isinstance(value, list | tuple | Mapping) and len(value) > rule.mark.most:
            yield Offence(place, f"has {len(value)} items, which is more than {rule.mark.most}")
        elif rule.mark.status is Status.SUPPORTED:
            yield from _below(value, rule.shape, place)


def _below(value: Any, shape: Shape, place: str) -> Iterator[Offence]:
    if shape.struct is None:
        return
    if shape.kind is Kind.STRUCT:
        yield from offences(value, shape.struct, place)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from offences(item, shape.struct, f"{place}[{index}]")


def _unwanted(place: str, value: Any, mark: Mark) -> Offence:
    if mark.status is Status.REFUSED:
        return Offence(place, mark.note, "remove it")
    choices = ", ".join(str(choice) for choice in mark.only or ())
    text = str(value)
    return Offence(
        place, f"{text[:_SHOWN]!r} is not supported" + (f": {mark.note}" if mark.note else ""), f"supported: {choices}"
    )


def shown(name: str) -> str:
    """A name from a document, fit for a message: no control characters, not endless."""
    text = "".join(char if char.isprintable() else "?" for char in name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


Decoded = TypeVar("Decoded", bound=msgspec.Struct)


def decode(document: Any, struct: type[Decoded], *, path: str = "") -> Decoded:
    """The document as a Struct. Raises InvalidTask: the first field that is unknown or refused, or of a wrong type."""
    wrong = offences(document, struct, path)
    if (first := next(wrong, None)) is not None:
        more = [offence.path for offence in itertools.islice(wrong, _COUNTED)]
        raise InvalidTask(first.message + _more(more), subject=first.path, hint=first.advice())
    try:
        return msgspec.convert(_without_nulls(document), struct)
    except msgspec.ValidationError as error:
        raise _translated(error, path) from error


def _more(paths: list[str]) -> str:
    if not paths:
        return ""
    dots = ", ..." if len(paths) > _MORE_SHOWN else ""
    fields = "field is" if len(paths) == 1 else "fields are"
    count = f"{len(paths)}" if len(paths) < _COUNTED else f"at least {len(paths)}"
    return f"; {count} more {fields} refused too: {', '.join(paths[:_MORE_SHOWN])}{dots}"


def _without_nulls(value: Any) -> Any:
    """Kubernetes and protobuf take a null for an absent field; msgspec does not."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


_AT = re.compile(r"(.*) - at `(?:key in )?\$\.?(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


def _translated(error: msgspec.ValidationError, path: str) -> InvalidTask:
    """msgspec says "Expected `str`, got `int` - at `$.spec.containers[0].image`"."""
    match = _AT.fullmatch(str(error))
    message, inner = match.groups() if match else (str(error), "")
    subject = join(path, inner)
    if missing := _MISSING.fullmatch(message):
        return InvalidTask("is missing", subject=join(subject, missing.group(1)), hint="it is required")
    return InvalidTask(message[0].lower() + message[1:].replace("`", ""), subject=subject)


def join(path: str, inner: str) -> str:
    return path + inner if not path or not inner or inner.startswith("[") else f"{path}.{inner}"
