"""What happens to each field of a document that a framework sends, said beside the field. Pure.

Every field of a msgspec Struct is annotated with a Mark. `executor.spec.reading.form` reads documents by the marks
and refuses what is not marked as usable, so that a typing error in a field's name is found as surely as a feature that
is missing here.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Union

import msgspec

NOT_YET = "not supported yet"
ASKS_FOR_NOTHING: tuple[Any, ...] = (False, "", [], {})
ITEMS_MAX = 1000
"""The length of one list or mapping, where a field sets no other bound."""
FAMILY = "<domain>/<name>"
"""The name of a field, a mapping, that takes all names with a slash that no other field of its document has."""
_SHOWN = 80


class Status(StrEnum):
    SUPPORTED = "supported"
    ACCEPTED = "accepted"  # without effect here
    REFUSED = "refused"


@dataclass(frozen=True)
class Mark:
    """`only` are the values that pass; None: all. A refused field passes with the values that ask for nothing, and its
    `hint` says what to do instead of using it. A list or mapping has `most` items. An accepted `reported` field is
    listed as one without effect.
    """

    status: Status
    note: str = ""
    only: tuple[Any, ...] | None = None
    most: int = ITEMS_MAX
    hint: str = ""
    reported: bool = True


def supported(note: str = "", *, only: tuple[Any, ...] | None = None, most: int = ITEMS_MAX) -> Mark:
    """A field with an effect here."""
    return Mark(Status.SUPPORTED, note, only, most)


def accepted(note: str, *, only: tuple[Any, ...] | None = None, reported: bool = True) -> Mark:
    """A field that is read and changes nothing here."""
    return Mark(Status.ACCEPTED, note, only, reported=reported)


def refused(note: str = NOT_YET, *, harmless: tuple[Any, ...] = ASKS_FOR_NOTHING, hint: str = "") -> Mark:
    """A field that is refused, but for values that ask for nothing."""
    return Mark(Status.REFUSED, note, harmless, hint=hint)


class Kind(StrEnum):
    VALUE = "value"
    LIST = "list"
    MAPPING = "mapping"
    STRUCT = "struct"


@dataclass(frozen=True)
class Shape:
    """A field's type as far as documents nest: a Struct, a list of `struct` or of values, a mapping, or a value."""

    kind: Kind
    struct: type[msgspec.Struct] | None


@dataclass(frozen=True)
class FieldRule:
    """`choices` are the values of a Literal; of any other type there are none. `item` is the type of an item of a list,
    and of a value of a mapping; of any other type it is Any.
    """

    name: str
    mark: Mark
    shape: Shape
    choices: tuple[str, ...]
    type: Any
    item: Any
    required: bool


@functools.cache
def rules(struct: type[msgspec.Struct]) -> Mapping[str, FieldRule]:
    """The fields of a Struct by the names that documents use. Raises TypeError for a field without a mark."""
    found = {}
    for info in msgspec.structs.fields(struct):
        marks = [extra for extra in getattr(info.type, "__metadata__", ()) if isinstance(extra, Mark)]
        if len(marks) != 1:
            raise TypeError(f"{struct.__name__}.{info.name} needs exactly one mark")
        found[info.encode_name] = FieldRule(
            info.encode_name,
            marks[0],
            _shape(info.type),
            _choices(info.type),
            info.type,
            _item(info.type),
            info.required,
        )
    return found


def _choices(kind: Any) -> tuple[str, ...]:
    if typing.get_origin(kind) is Annotated:
        return _choices(typing.get_args(kind)[0])
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _item(kind: Any) -> Any:
    if typing.get_origin(kind) is Annotated:
        return _item(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (Union, types.UnionType):
        return next((item for arg in typing.get_args(kind) if (item := _item(arg)) is not Any), Any)
    if typing.get_origin(kind) is tuple:
        return typing.get_args(kind)[0]
    return typing.get_args(kind)[1] if typing.get_origin(kind) is dict else Any


def _shape(kind: Any) -> Shape:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _shape(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        shapes = [_shape(arg) for arg in typing.get_args(kind) if arg is not type(None)]
        return next((shape for shape in shapes if shape.kind is not Kind.VALUE), Shape(Kind.VALUE, None))
    if origin is tuple:
        return Shape(Kind.LIST, _shape(typing.get_args(kind)[0]).struct)
    if origin is dict:
        return Shape(Kind.MAPPING, None)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return Shape(Kind.STRUCT, kind)
    return Shape(Kind.VALUE, None)


def shown(name: str) -> str:
    """A name from a document, fit for a message: no control characters, not endless."""
    text = name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def join(path: str, inner: str) -> str:
    """The path of a field below `path`."""
    return path + inner if not path or not inner or inner.startswith("[") else f"{path}.{inner}"
