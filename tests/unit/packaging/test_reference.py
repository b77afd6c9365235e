"""The documents that are made from the code are those that are published."""

from __future__ import annotations

import pytest

from reference import DIRECTORY, documents


@pytest.mark.parametrize("name", ["events.md", "fields.md", "metrics.md"])
def test_a_document_is_current(name: str) -> None:
    fresh = documents()[name]
    assert (DIRECTORY / name).read_text() == fresh, "run: PYTHONPATH=packaging:. .build/venv/bin/python -m reference"
