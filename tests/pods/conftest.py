"""The counts of this suite, at the end of its output: also of a run in which all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_TEXTS = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows a text at the end of the run."""
    return request.config.stash.setdefault(_TEXTS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for text in config.stash.get(_TEXTS, []):
        terminalreporter.write_line(text)
