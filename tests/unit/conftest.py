"""What unit tests share: a look at what is logged, and the lengths of the files in the summary of a whole run."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from executor import log
from tests.support.sources import sizes


@pytest.fixture
def records() -> Iterator[list[Mapping[str, Any]]]:
    """Every record with a code, whatever the level."""
    seen: list[Mapping[str, Any]] = []
    remove = log.add_sink(seen.append)
    yield seen
    remove()


FIRST = ("test_lint.py", "test_exporter.py")
"""The type checker runs longest; the exporter's tests mostly wait, and would be the last ones."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No process works, or waits, alone at the end."""
    items.sort(key=lambda item: item.path.name not in FIRST)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: each full collection of garbage would look at all of it again."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long the files are: a figure to watch, not a wall (test_layers.py has the argued exceptions)."""
    own = {path: lines for path, lines in sizes().items() if lines}
    median, (longest, lines) = statistics.median(own.values()), max(own.items(), key=lambda each: each[1])
    terminalreporter.write_line(f"{len(own)} files, median {median:g} lines, longest {longest} with {lines}")
