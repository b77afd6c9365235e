"""The self-contained tree of Python code: the project, what it depends on, and byte code for all of it.

Byte code is not checked against sources at run time (PEP 552, unchecked-hash): the tree belongs to the package manager,
and an import then costs no stat of its source. It is compiled by one process with a fixed hash seed, since the order of
the constants in a code object depends on both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from assembly.distributions import Bundled
from preparation.engine import ROOT

PACKAGES = ("executor", "cgroups")
PYTHON = (3, 11)
_UNWANTED = ("__pycache__", "*.pyi", "*.pyc", "py.typed", ".stamp")


def make(target: Path, prefix: str, distributions: Sequence[Bundled]) -> str:
    """Fill `target`, which will be found at `prefix`; returns the digest of all that it holds."""
    if sys.version_info[:2] != PYTHON:
        raise SystemExit("build: the packages are for Python 3.11, and the venv has another; see packaging/prepare")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=shutil.ignore_patterns(*_UNWANTED))
    for one in distributions:
        for path in one.files:
            _copy(Path(str(path.locate())), target / path)
    _compile(target, prefix)
    return digest(target)


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise SystemExit(f"build: two distributions have {target.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _compile(target: Path, prefix: str) -> None:
    command = [sys.executable, "-S", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    subprocess.run([*command, "-s", str(target), "-p", prefix, str(target)], check=True, env=environment)


def digest(target: Path) -> str:
    """The digest of every file's name and content."""
    total = hashlib.sha256()
    for path in files(target):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(target)} {content}\n".encode())
    return total.hexdigest()


def files(target: Path) -> Iterator[Path]:
    return (path for path in sorted(target.rglob("*")) if path.is_file())
