"""Templates in the manner of `kubectl -o jsonpath`: text, and paths in braces. Pure.

    {.pods[*].name}                                the values, with a space between them
    {range .pods[*]}{.pod}{"\\t"}{.state}{"\\n"}{end}     a piece for each value; paths in it begin at the value

A path is made of `.key`, `['key']`, `[0]`, `[-1]` and `[*]`. What is not there is left out. Filters, slices and `..`
are refused: `--json` and jq have them.
Source: Kubernetes, "JSONPath Support".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from executor.errors import InvalidInput

_PIECE: Final = re.compile(r"\{((?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^{}\"'])*)\}")
_STEP: Final = re.compile(r"\.?\*|\.([A-Za-z0-9_-]+)|\[(?:'([^']*)'|\"([^\"]*)\"|(-?\d{1,9})|(\*))\]")
RANGES_MAX: Final = 100
_HINT: Final = "write such as {.pods[*].name}, or use --json and jq"


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Path:
    """A key, an index, or None for every value."""

    steps: tuple[str | int | None, ...]


@dataclass(frozen=True)
class Range:
    over: Path
    body: tuple[Node, ...]


Node = Text | Path | Range


def parse(template: str) -> tuple[Node, ...]:
    """Raises InvalidInput, with the piece that cannot be read."""
    if "{" not in template:
        template = f"{{{template}}}"
    pieces = list(_pieces(template))
    if sum(text.startswith("range ") for in_braces, text in pieces if in_braces) > RANGES_MAX:
        raise _invalid("{range ...}", f"is there more than {RANGES_MAX} times")
    nodes, rest = _nodes(pieces, within=False)
    if rest:
        raise _invalid("{end}", "ends no {range ...}")
    return nodes


def render(nodes: Sequence[Node], document: Any) -> str:
    """The template's text for a JSON document."""
    return "".join(_rendered(node, document) for node in nodes)


def _rendered(node: Node, value: Any) -> str:
    match node:
        case Text(text):
            return text
        case Range(over, body):
            return "".join(render(body, each) for each in _values(over.steps, value))
        case Path(steps):
            return " ".join(map(_text, _values(steps, value)))


def _values(steps: Sequence[str | int | None], value: Any) -> list[Any]:
    found = [value]
    for step in steps:
        found = [below for each in found for below in _below(step, each)]
    return found


def _below(step: str | int | None, value: Any) -> Sequence[Any]:
    if step is None:
        return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and step in value:
        return [value[step]]
    if isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
        return [value[step]]
    return ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _pieces(template: str) -> Iterator[tuple[bool, str]]:
    """Each with whether it stood in braces."""
    at = 0
    for match in _PIECE.finditer(template):
        yield from _plain(template[at : match.start()])
        yield True, match[1].strip()
        at = match.end()
    yield from _plain(template[at:])


def _plain(text: str) -> Iterator[tuple[bool, str]]:
    if "{" in text or "}" in text:
        raise _invalid(text, "has a brace without its counterpart")
    if text:
        yield False, text


def _nodes(pieces: list[tuple[bool, str]], *, within: bool) -> tuple[tuple[Node, ...], list[tuple[bool, str]]]:
    """Up to the {end} of the range that they are `within`, and the pieces from there on."""
    nodes: list[Node] = []
    while pieces:
        (in_braces, text), *pieces = pieces
        if not in_braces:
            nodes.append(Text(text))
        elif text == "end":
            return tuple(nodes), [(True, text), *pieces] if not within else pieces
        elif text.startswith("range "):
            body, pieces = _nodes(pieces, within=True)
            nodes.append(Range(_path(text.removeprefix("range ").strip()), body))
        else:
            nodes.append(_quoted(text) if text[:1] in ('"', "'") else _path(text))
    if within:
        raise _invalid("{range ...}", "has no {end}")
    return tuple(nodes), []


def _quoted(text: str) -> Text:
    try:
        return Text(json.loads(text) if text.startswith('"') else text[1:-1])
    except ValueError as error:
        raise _invalid(text, "is not text in quotes") from error


def _path(text: str) -> Path:
    rest = text.removeprefix("$").removeprefix("@")
    steps: list[str | int | None] = []
    if rest in ("", "."):
        return Path(())
    if rest[0] not in ".[":
        rest = f".{rest}"
    while rest:
        match = _STEP.match(rest)
        if match is None:
            raise _invalid(text, f"cannot be read from {rest[:40]!r} on")
        key = next((each for each in match.group(1, 2, 3) if each is not None), None)
        steps.append(int(match[4]) if match[4] else key)
        rest = rest[match.end() :]
    return Path(tuple(steps))


def _invalid(text: str, message: str) -> InvalidInput:
    return InvalidInput(message, subject=f"jsonpath {text[:80]}", hint=_HINT)
