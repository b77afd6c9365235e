"""The project's own Python files as syntax trees: which modules there are and what each one imports."""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GENERATED = ROOT / "executor/containerd/api"
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


@dataclass(frozen=True)
class Source:
    """One file; `name` is its module name (`executor.pod`, without `__init__`), `path` relative to the checkout."""

    path: str
    name: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def is_pure(self) -> bool:
        """A module says so in the first paragraph of its docstring."""
        return re.search(r"\bPure\b", (ast.get_docstring(self.tree) or "").partition("\n\n")[0]) is not None

    @functools.cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self.tree, typing_only=False))


def python_files() -> list[Source]:
    """Every Python file of the checkout, but for generated code."""
    return [_source(path) for path in all_files() if is_python(path) and GENERATED not in path.parents]


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
        below[:] = sorted(name for name in below if name == ".ci" or not (name in BUILT or name.startswith(".")))
        found += [Path(directory, name) for name in sorted(names) if name != ".git"]  # a file in a second work tree
    return found


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _source(path: Path) -> Source:
    relative = path.relative_to(ROOT)
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    return Source(str(relative), name, path.read_text())


def _imports(node: ast.AST, *, typing_only: bool) -> Iterator[Import]:
    """`from a import b` counts as `a.b` where that is a module of ours, else as `a`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, typing_only) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            targets = {_target(child.module or "", alias.name) for alias in child.names}
            yield from (Import(target, child.lineno, typing_only) for target in sorted(targets))
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _imports(child, typing_only=True)
        else:
            yield from _imports(child, typing_only=typing_only)


def _target(module: str, name: str) -> str:
    below = ROOT / module.replace(".", "/") / name
    return f"{module}.{name}" if below.with_suffix(".py").exists() or (below / "__init__.py").exists() else module
