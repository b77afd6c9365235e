"""A table of cases loses no case and no failure."""

from __future__ import annotations

import pytest

from tests.support.cases import check_each

SEEN = list[int]()


def positive(number: int) -> None:
    SEEN.append(number)
    if number == 0:
        raise ValueError("zero")
    assert number > 0, "below zero"


def test_every_case_runs_and_every_failure_is_named() -> None:
    SEEN.clear()
    cases = {"good": 1, "bad": -1, "odd": 0, "last": 2}
    with pytest.raises(AssertionError) as caught:
        check_each(cases, positive)
    assert SEEN == [1, -1, 0, 2]
    first, *rest = str(caught.value).splitlines()
    assert first == "2 of 4 cases failed:"
    assert any(line.startswith("bad: AssertionError: below zero") for line in rest)
    assert any(line.startswith("odd: ValueError: zero") and "test_cases.py:" in line for line in rest)
    assert not any(line.startswith(("good", "last")) for line in rest)


def test_cases_that_pass_pass() -> None:
    check_each([("one", 1), ("", 2)], positive)


def test_a_table_without_cases_fails() -> None:
    with pytest.raises(AssertionError, match="there is no case"):
        check_each({}, positive)
