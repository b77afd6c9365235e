"""Every log call in the source against the lists of codes and keys, read from the syntax trees."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from executor.log.codes import CODES, Level
from executor.log.keys import KEYS
from executor.pod.life.model import State

EXECUTOR = Path(__file__).parents[3] / "executor"
LEVELS = {
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "warning": Level.WARNING,
    "error": Level.ERROR,
    "exception": Level.ERROR,
}


class Call(NamedTuple):
    where: str
    level: Level
    codes: tuple[str, ...]
    keys: tuple[str, ...]
    message: ast.expr


class File(NamedTuple):
    """What the rules ask of one. Its tree is not kept: Python's garbage collector would look at all of them again."""

    name: str
    calls: tuple[Call, ...]
    texts: frozenset[str]
    """Every constant."""
    passes_keys: bool
    """Whether it gives a logger keys that do not stand in the call of a line: `bind`, or `**`."""
    keywords: frozenset[str]


@functools.cache
def _files() -> tuple[File, ...]:
    return tuple(_file(path) for path in EXECUTOR.rglob("*.py") if "api" not in path.parts)


def _file(path: Path) -> File:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    keywords = (node.arg for node in nodes if isinstance(node, ast.keyword))
    return File(
        path.name,
        tuple(_calls_of(path, nodes)),
        frozenset(value for value in constants if isinstance(value, str)),
        any(map(_passes_keys, nodes)),
        frozenset(name.rstrip("_") for name in keywords if name is not None),
    )


def _calls() -> tuple[Call, ...]:
    return tuple(call for file in _files() for call in file.calls)


def _calls_of(path: Path, nodes: list[ast.AST]) -> Iterator[Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_log(node.func):
            keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            codes = tuple(_codes(keywords.pop("code"))) if "code" in keywords else ()
            where = f"{path.relative_to(EXECUTOR.parent)}:{node.lineno}"
            yield Call(where, LEVELS[node.func.attr], codes, tuple(keywords), node.args[0])


def _is_log(function: ast.Attribute) -> bool:
    return function.attr in LEVELS and ast.unparse(function.value).rpartition(".")[2] in ("log", "_log")


def _codes(value: ast.expr) -> Iterator[str]:
    """The codes an argument can be: a constant, one of two, or the pod's state behind `pod.`."""
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.IfExp):
        yield from _codes(value.body)
        yield from _codes(value.orelse)
    elif isinstance(value, ast.JoinedStr) and "pod.state" in ast.unparse(value):
        yield from (f"pod.{state.replace('-', '_')}" for state in State if state is not State.NEW)
    else:
        yield f"not a constant: {ast.unparse(value)}"


def test_the_search_finds_calls() -> None:
    assert len(list(_calls())) > 20


def test_every_line_from_info_on_has_a_code_of_its_level() -> None:
    wrong = []
    for call in _calls():
        if call.level > Level.DEBUG and not call.codes:
            wrong.append(f"{call.where}: no code")
        for code in call.codes:
            if code not in CODES:
                wrong.append(f"{call.where}: {code} is not in CODES")
            elif call.level.name.lower() not in CODES[code].levels:
                wrong.append(f"{call.where}: {code} is {', '.join(CODES[code].levels)} in CODES")
    assert not wrong, "\n".join(wrong)


def test_every_key_is_in_the_list() -> None:
    wrong = [
        f"{call.where}: {key}"
        for call in _calls()
        for key in call.keys
        if key.rstrip("_") not in KEYS | {"exc_info": ""}
    ]
    assert not wrong, "\n".join(wrong)


def test_messages_are_constant() -> None:
    wrong = [call.where for call in _calls() if not isinstance(call.message, ast.Constant)]
    assert not wrong, "\n".join(wrong)


def test_every_code_is_used() -> None:
    used = {code for call in _calls() for code in call.codes}
    used |= {text for file in _files() if file.name != "codes.py" for text in file.texts}
    assert CODES.keys() - used == set()


def test_every_key_is_used() -> None:
    used = {key.rstrip("_") for call in _calls() for key in call.keys}
    used.add("exception")  # structlog's own, for exc_info
    for file in _files():
        if file.name in ("log.py", "journal.py") or file.passes_keys:
            used |= file.texts | file.keywords
    assert KEYS.keys() - used == set()


def _passes_keys(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "bind" or (_is_log(node.func) and any(key.arg is None for key in node.keywords))


def test_codes_that_ask_for_a_person_say_what_to_do() -> None:
    for code, entry in CODES.items():
        assert entry.meaning.endswith("."), code
        assert bool(entry.action) == (entry.levels != ("info",)), code
        assert "." in code, code
        assert code == code.lower(), code
