"""Points of time that no calendar has."""

from __future__ import annotations

import pytest

from executor.cli.moments import moment, shown
from executor.errors import InvalidInput


@pytest.mark.parametrize("text", ["99999999999weeks", "9" * 60 + "d", "0001-01-01"])
def test_a_time_long_ago_is_the_first_of_all(text: str) -> None:
    assert shown(moment(text, 1e9)).endswith("1-01-01T00:00:00Z")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30"])
def test_a_time_of_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a time"):
        moment(text, 1e9)
