"""The options of the suite: how long, where findings are kept, and one finding read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--replay", type=Path, help="read this input again, a file that a run has named")


@pytest.fixture(scope="session")
def seconds() -> float:
    """The time of the whole suite: `tests/run fuzz --minutes N`."""
    return 60 * float(os.environ.get("MPE_TEST_MINUTES", "2"))
