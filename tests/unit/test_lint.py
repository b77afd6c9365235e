"""The linter, the formatter and the type checker, as tests, so that one command tells everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import ROOT, is_python


def complaints(*command: str, directory: Path = ROOT) -> str:
    """What a tool printed when it was not content, else nothing."""
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=directory, capture_output=True, text=True, check=False
    )
    return "" if result.returncode == 0 else result.stdout + result.stderr


def test_ruff_check() -> None:
    assert complaints("ruff", "check", "--quiet", "--output-format=concise") == ""


def test_ruff_format() -> None:
    assert complaints("ruff", "format", "--check", "--quiet") == ""


@pytest.mark.timeout(600)
def test_mypy() -> None:
    assert complaints("mypy", "--no-error-summary") == ""


@pytest.mark.timeout(600)
def test_mypy_of_scripts() -> None:
    """They are no package, so the type checker has to be told of them; it runs in their directory, as they do."""
    directory = ROOT / "packaging"
    scripts = sorted(path.name for path in directory.iterdir() if path.is_file() and is_python(path))
    own_cache = str(ROOT / ".mypy_cache/packaging")
    found = complaints(
        "mypy",
        "--no-error-summary",
        "--config-file=../pyproject.toml",
        f"--cache-dir={own_cache}",
        *scripts,
        directory=directory,
    )
    assert found == ""
