"""The project's own Python files as syntax trees: which modules there are and what each one imports."""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
GENERATED = ROOT / "executor/containerd/api"
HIDDEN = (".ci", ".github")
BUILT = {"__pycache__", "dist"}  # besides every directory with a leading dot, but for the continuous integration's
SHEBANG = b"#!/usr/bin/env python3\n"


@dataclass(frozen=True)
class Import:
    """`typing_only`: under `if TYPE_CHECKING`, so that nothing is loaded when the program runs."""

    module: str
    line: int
    typing_only: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


class Function(NamedTuple):
    name: str
    line: int
    lines: int


class Facts(NamedTuple):
    """What the rules ask of a file; `functions` are those of every depth, `undocumented` the public ones without a
    docstring.
    """

    docstring: str
    imports: tuple[Import, ...]
    functions: tuple[Function, ...]
    undocumented: tuple[Function, ...]


@dataclass(frozen=True)
class Source:
    """One file; `name` is its module name (`executor.pod`, without `__init__`), `path` relative to the checkout."""

    path: str
    name: str
    text: str

    @functools.cached_property
    def facts(self) -> Facts:
        """The tree itself is not kept: with all trees in memory, Python's garbage collector takes most of the time."""
        tree = ast.parse(self.text, self.path)
        statements = list(_statements(tree))
        return Facts(
            ast.get_docstring(tree) or "",
            tuple(_imports(tree, typing_only=False)),
            tuple(_function(each) for each in statements if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)),
            tuple(_function(each) for each in _public(tree) if ast.get_docstring(each) is None),
        )

    @property
    def imports(self) -> tuple[Import, ...]:
        return self.facts.imports

    @property
    def is_pure(self) -> bool:
        """A module says so in the first paragraph of its docstring."""
        return re.search(r"\bPure\b", self.facts.docstring.partition("\n\n")[0]) is not None


@functools.cache
def python_files() -> tuple[Source, ...]:
    """Every Python file of the checkout, but for generated code."""
    return tuple(_source(path) for path in all_files() if is_python(path) and GENERATED not in path.parents)


def is_python(path: Path) -> bool:
    """By its name, or, where it has no suffix, by its first line."""
    if path.suffix or path.is_symlink():
        return path.suffix == ".py"
    with path.open("rb") as file:
        return file.readline() == SHEBANG


def modules(*packages: str) -> dict[str, Source]:
    return {source.name: source for source in python_files() if source.name.partition(".")[0] in packages}


def all_files() -> list[Path]:
    """Every file of the checkout that is neither build output nor a tool's cache."""
    found = []
    for directory, below, names in os.walk(ROOT):
        below[:] = sorted(name for name in below if name in HIDDEN or not (name in BUILT or name.startswith(".")))
        found += [Path(directory, name) for name in sorted(names) if name != ".git"]  # a file in a linked work tree
    return found


def sizes() -> dict[str, int]:
    """The lines of every Python file, by its path."""
    return {source.path: source.text.count("\n") for source in python_files()}


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    return Function(node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)


def _public(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module, and the methods of its classes, whose names do not begin with an underscore."""
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from _public(child)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield child


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below `node`; expressions, which are most of a tree, are not walked."""
    for child in _children(node):
        yield child
        yield from _statements(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The statements right below `node`, with the handlers and cases that hold further ones."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        found = getattr(node, name, ())
        yield from found if isinstance(found, list) else ()  # the body of a lambda is no statement


def _source(path: Path) -> Source:
    relative = path.relative_to(ROOT)
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    return Source(str(relative), name, path.read_text())


def _imports(node: ast.AST, *, typing_only: bool) -> Iterator[Import]:
    """`from a import b` counts as `a.b` where that is a module of ours, else as `a`."""
    for child in _children(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, typing_only) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            targets = {_target(child.module or "", alias.name) for alias in child.names}
            yield from (Import(target, child.lineno, typing_only) for target in sorted(targets))
        elif isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            yield from _imports(child, typing_only=True)
        else:
            yield from _imports(child, typing_only=typing_only)


@functools.cache
def _target(module: str, name: str) -> str:
    below = ROOT / module.replace(".", "/") / name
    return f"{module}.{name}" if below.with_suffix(".py").exists() or (below / "__init__.py").exists() else module
