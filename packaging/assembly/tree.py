"""The self-contained tree of Python code: the project, and what it depends on, for several Pythons.

It has no byte code: the installation of the package compiles it with the Python of the node (packaging/programs/trees).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from assembly import extensions
from assembly.distributions import Bundled
from preparation.engine import ROOT

PACKAGES = ("executor", "cgroups")
_UNWANTED = ("__pycache__", "*.pyi", "*.pyc", "py.typed", ".stamp")


def make(target: Path, distributions: Sequence[Bundled]) -> str:
    """Fill `target`; returns the digest of all that it holds."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=shutil.ignore_patterns(*_UNWANTED))
    for one in distributions:
        for path in one.files:
            _copy(Path(str(path.locate())), target / path)
    for name, content in extensions.modules(distributions):
        (target / name).write_bytes(content)
    return digest(target)


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise SystemExit(f"build: two distributions have {target.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def digest(target: Path) -> str:
    """The digest of every file's name and content."""
    total = hashlib.sha256()
    for path in files(target):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(target)} {content}\n".encode())
    return total.hexdigest()


def files(target: Path) -> Iterator[Path]:
    return (path for path in sorted(target.rglob("*")) if path.is_file())
