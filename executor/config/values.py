"""From TOML and environment variables to the values of configuration sections, and back to a documented file. Pure.

A section is a dataclass whose fields carry `doc` and limits in their metadata (see sections.py). msgspec converts a
value to the type and the limits of its key; checks.py has what no type can say. So each value is checked once, and no
other part has to doubt it. Errors are InvalidConfig; their subject is the file and key, or the variable.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from executor import bounded_toml
from executor.config.checks import CHECKS, WrongPartError, WrongValueError
from executor.config.trust import Trust, rule
from executor.errors import InvalidConfig

VARIABLE_PREFIX: Final = "MESOS_POD_EXECUTOR_"
PATH_VARIABLE: Final = "MESOS_POD_EXECUTOR_CONFIG"

_POLICY: Final = 'give the roles that need it the level "privileged" in [policy] roles'
_GONE: Final = {"allow_privileged": _POLICY, f"{VARIABLE_PREFIX}PODS_ALLOW_PRIVILEGED": _POLICY}
"""Keys of earlier versions, and what replaces them."""

ITEMS_SHOWN: Final = 10
"""How many wrong items of one table an error names."""

Sections = Mapping[str, type]
Values = dict[str, dict[str, object]]
T = TypeVar("T")


class _Key(NamedTuple):
    kind: Any
    field: Field[Any]


class Decoded(NamedTuple):
    """The values that are good, and what is wrong with the others."""

    values: Values
    faults: tuple[InvalidConfig, ...]


def decode_file(text: str, source: str, sections: Sections) -> Decoded:
    """The checked values of a TOML text; `source` names it in errors."""
    if not text:
        return Decoded({}, ())
    try:
        document = bounded_toml.loads(text)
    except bounded_toml.TomlError as error:
        hint = "write true or false, and a text in quotes; mesos-pod-executor check-config --default shows each key"
        return Decoded({}, (InvalidConfig(f"is not TOML: {error}", subject=source, hint=hint),))
    values: Values = {}
    faults: list[InvalidConfig] = []
    for name, table in document.items():
        try:
            keys = _keys(_known(name, sections, f"{source}: [{name}]", "section"))
            if not isinstance(table, dict):
                raise InvalidConfig("must be a table", subject=f"{source}: {name}", hint=f"write [{name}]")
        except InvalidConfig as fault:
            faults.append(fault)
            continue
        for key, value in table.items():
            subject = f"{source}: {name}.{key}"
            try:
                values.setdefault(name, {})[key] = _checked(_known(key, keys, subject, "key"), value, subject)
            except InvalidConfig as fault:
                faults.append(fault)
    return Decoded(values, tuple(faults))


def decode_variables(environ: Mapping[str, str], sections: Sections) -> Decoded:
    """The checked values of the variables with our prefix; other variables are not looked at."""
    values: Values = {}
    faults: list[InvalidConfig] = []
    for each in own_variables(environ):
        try:
            section, key = name_of(each, sections)
            values.setdefault(section, {})[key] = decode_variable(each, environ[each], sections)
        except InvalidConfig as fault:
            faults.append(fault)
    return Decoded(values, tuple(faults))


def own_variables(environ: Mapping[str, str]) -> list[str]:
    """The names of the variables that set keys."""
    return [each for each in environ if each.startswith(VARIABLE_PREFIX) and each != PATH_VARIABLE]


def name_of(variable_name: str, sections: Sections) -> tuple[str, str]:
    """Section and key of a variable. Raises InvalidConfig with the nearest known name."""
    names = {variable(section, key): (section, key) for section, cls in sections.items() for key in _keys(cls)}
    return _known(variable_name, names, variable_name, "variable")


def decode_variable(variable_name: str, text: str, sections: Sections) -> object:
    """The checked value of one variable. Raises InvalidConfig."""
    section, key = name_of(variable_name, sections)
    known = _keys(sections[section])[key]
    return _checked(known, _parsed(known.kind, text), variable_name, is_text=True)


def variable(section: str, key: str) -> str:
    """The environment variable that overrides a key."""
    return f"{VARIABLE_PREFIX}{section}_{key}".upper()


def default_file(sections: Sections) -> str:
    """A TOML file that documents every key and sets none."""
    parts = ["# Configuration of mesos-pod-executor: every key with its default.\n"]
    parts.append(f"# A key is overridden by its variable, as in {variable('log', 'level')}=debug. A variable of an\n")
    parts.append("# executor is its framework's: it takes effect only as [framework: ...] says, on other keys never.\n")
    for name, cls in sections.items():
        parts.append(f"\n# {(cls.__doc__ or '').strip()}\n[{name}]\n")
        parts += [
            f"# {_documentation(key)}{_settable(name, key)}\n#{key.field.name} = {toml(_default(key))}\n"
            for key in _keys(cls).values()
        ]
    return "".join(parts)


def _keys(section: type) -> dict[str, _Key]:
    hints = get_type_hints(section)
    return {each.name: _Key(hints[each.name], each) for each in fields(section)}


def _known(name: str, known: Mapping[str, T], subject: str, what: str) -> T:
    if name in known:
        return known[name]
    if name in _GONE:
        raise InvalidConfig(f"is no {what} any more", subject=subject, hint=_GONE[name])
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    raise InvalidConfig(f"is not a known {what}", subject=subject, hint=hint)


def _parsed(kind: Any, text: str) -> object:
    """A list or a table of a variable's text, as TOML would have given it; of any other kind the text is converted."""
    if kind is bool:
        return {"yes": "true", "no": "false"}.get(text.lower(), text)
    items = [item.strip() for item in text.split(",") if item.strip()]
    if get_origin(kind) is tuple:
        return items
    if get_origin(kind) is Mapping and all("=" in item for item in items):
        pairs = (item.partition("=") for item in items)
        return {key.strip(): value.strip() for key, _, value in pairs}
    return text.strip()


def _checked(key: _Key, value: object, subject: str, *, is_text: bool = False) -> object:
    """`is_text`: numbers and truth values may be written as texts."""
    metadata = key.field.metadata
    try:
        typed = _converted(key, value, strict=not is_text)
        for limit, check in CHECKS.items():
            if limit in metadata:
                check(typed)
        return typed
    except WrongPartError as wrong:
        raise InvalidConfig(str(wrong), subject=subject, hint=str(metadata["doc"])) from wrong
    except WrongValueError as wrong:
        raise InvalidConfig(f"{value!r} is not {wrong}", subject=subject, hint=str(metadata["doc"])) from wrong


def _converted(key: _Key, value: object, *, strict: bool) -> object:
    if (made_by := getattr(key.kind, "of", None)) is not None:
        return _own_type(made_by, value)
    item_of = _item_of(key.kind)
    try:
        typed = msgspec.convert(value, _target(key) if item_of is None else dict[str, Any], strict=strict)
    except (msgspec.ValidationError, OverflowError) as error:
        raise WrongValueError(_expected(key)) from error
    if item_of is not None:
        typed = _own_items(item_of, typed)
    return MappingProxyType(typed) if isinstance(typed, dict) else typed


def _target(key: _Key) -> Any:
    """The type of a key with its limits, as msgspec knows them. A number is never infinite."""
    metadata = key.field.metadata
    if "choices" in metadata:
        return Literal[metadata["choices"]]
    if key.kind not in (int, float):
        return key.kind
    most = metadata.get("most", sys.float_info.max if key.kind is float else None)
    return Annotated[key.kind, msgspec.Meta(ge=metadata.get("least"), le=most)]


def _item_of(kind: Any) -> Callable[[object], object] | None:
    """How the values of a table are made that are not texts."""
    return getattr(get_args(kind)[1], "of", None) if get_origin(kind) is Mapping else None


def _own_type(made_by: Callable[[object], object], value: object) -> object:
    """A value that its type's `of` makes, which raises ValueError with a whole sentence."""
    try:
        return made_by(value)
    except ValueError as error:
        raise WrongPartError(str(error)) from error


def _own_items(made_by: Callable[[object], object], table: Mapping[str, object]) -> dict[str, object]:
    """As `_own_type`, for each value of a table. The error names each wrong item."""
    made: dict[str, object] = {}
    faults: list[str] = []
    for name, item in table.items():
        try:
            made[name] = made_by(item)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        more = [f"and {len(faults) - ITEMS_SHOWN} more"] if len(faults) > ITEMS_SHOWN else []
        raise WrongPartError("; ".join(faults[:ITEMS_SHOWN] + more))
    return made


_WORDS: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list of texts",
    Mapping: "a table of texts",
}


def _expected(key: _Key) -> str:
    """What a value must be, in words, its limits included."""
    if "choices" in key.field.metadata:
        return _limits(key)
    limits = _limits(key)
    return _WORDS[get_origin(key.kind) or key.kind] + (f", {limits}" if limits else "")


def _limits(key: _Key) -> str:
    metadata = key.field.metadata
    bounds = (("least", "at least"), ("most", "at most"))
    words = [f"{word} {metadata[limit]}" for limit, word in bounds if limit in metadata]
    return "; ".join(words + (["one of " + ", ".join(metadata["choices"])] if "choices" in metadata else []))


def _documentation(key: _Key) -> str:
    limits = _limits(key)
    return f"{key.field.metadata['doc']} ({limits})" if limits else str(key.field.metadata["doc"])


def _settable(section: str, key: _Key) -> str:
    """Nothing of the operator's own keys, which are most."""
    held = rule(section, key.field.name)
    return "" if held.trust is Trust.OPERATOR else f" [{held}]"


def _default(key: _Key) -> object:
    return key.field.default if key.field.default_factory is MISSING else key.field.default_factory()


def toml(value: object) -> str:
    """A value as the file has it; one of a type of its own in words."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value if isinstance(value, bool | int | float | str) else str(value))
