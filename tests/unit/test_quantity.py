"""Quantities against values that Kubernetes documents, and as arithmetic."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor import quantity
from executor.errors import InvalidTask

# Kubernetes, "Resource Management for Pods and Containers" and apimachinery's quantity.go
KNOWN = {
    "0": 0,
    "128974848": 128974848,
    "129e6": 129_000_000,
    "129M": 129_000_000,
    "128974848000m": 128974848,
    "123Mi": 128974848,
    "100m": Fraction(1, 10),
    "0.1": Fraction(1, 10),
    ".5": Fraction(1, 2),
    "5.": 5,
    "+2": 2,
    "1k": 1000,
    "1Ki": 1024,
    "1.5Gi": 1610612736,
    "1E": 10**18,
    "1E3": 1000,
    "2e-3": Fraction(2, 1000),
    "7Ei": 7 * 2**60,
    "3n": Fraction(3, 10**9),
    "3u": Fraction(3, 10**6),
    "9223372036854775807": 2**63 - 1,
}
WRONG = [
    "",
    " 1",
    "1 ",
    "1ki",
    "1K",
    "1mi",
    "Mi",
    "1.2.3",
    "1e",
    "0x10",
    "inf",
    "NaN",
    "1e999",
    "--1",
    "1_000",
    "٣",
    "-1",
    "8Ei",
]


@pytest.mark.parametrize(("text", "value"), KNOWN.items())
def test_known_values(text: str, value: Fraction) -> None:
    assert quantity.parse(text, subject="x") == value


@pytest.mark.parametrize("text", WRONG)
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        quantity.parse(text, subject="spec.x")
    assert caught.value.subject == "spec.x"


def test_numbers_of_json() -> None:
    assert quantity.parse(2, subject="x") == 2
    assert quantity.parse(0.5, subject="x") == Fraction(1, 2)
    assert quantity.parse(1e-7, subject="x") == Fraction(1, 10**7)
    with pytest.raises(InvalidTask):
        quantity.parse(float("inf"), subject="x")


@given(st.integers(0, 2**33), st.sampled_from(["", "Ki", "Mi", "Gi"]))
def test_sizes_round_trip(number: int, suffix: str) -> None:
    factor = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[suffix]
    if number * factor < 2**63:
        assert quantity.size(f"{number}{suffix}", subject="x") == number * factor


@given(st.integers(1, 10**9))
def test_millicores_round_trip(number: int) -> None:
    assert quantity.cores(f"{number}m", subject="x") * 1000 == pytest.approx(number)


def test_rounding_is_upwards_and_nothing_is_no_cpu() -> None:
    assert quantity.size("100m", subject="x") == 1
    assert quantity.cores("1n", subject="x") == 0.001
    with pytest.raises(InvalidTask, match="above 0"):
        quantity.cores("0", subject="x")


@given(st.text(max_size=40))
def test_any_text_is_a_value_in_range_or_an_invalid_task(text: str) -> None:
    with contextlib.suppress(InvalidTask):
        assert 0 <= quantity.parse(text, subject="x") <= 2**63 - 1
