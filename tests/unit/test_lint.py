"""The linter, the formatter and the type checker, as tests, so that one command tells everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.sources import ROOT, is_python


def complaints(*command: str, directory: Path = ROOT) -> str:
    """What a tool printed when it was not content, else nothing."""
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=directory, capture_output=True, text=True, check=False
    )
    return "" if result.returncode == 0 else result.stdout + result.stderr


CHECK = ("ruff", "check", "--quiet", "--output-format=concise")
FORMAT = ("ruff", "format", "--check", "--quiet")
TYPES = ("mypy", "--no-error-summary")


def test_ruff_check() -> None:
    assert complaints(*CHECK) == ""


def test_ruff_format() -> None:
    assert complaints(*FORMAT) == ""


@pytest.mark.timeout(600)
def test_mypy() -> None:
    assert complaints(*TYPES) == ""


def test_pre_commit_runs_the_same() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"].split() for hook in repository["hooks"]]
    assert entries == [[".build/venv/bin/python", "-m", *command] for command in (CHECK, FORMAT, TYPES)]


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
