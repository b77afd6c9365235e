"""What unit tests share: a look at what is logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from executor import log


@pytest.fixture
def records() -> Iterator[list[Mapping[str, Any]]]:
    """Every record with a code, whatever the level."""
    seen: list[Mapping[str, Any]] = []
    remove = log.add_sink(seen.append)
    yield seen
    remove()
