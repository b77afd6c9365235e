from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.spec import signals


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15), ("TERM", 15), ("sigusr1", 10), ("9", 9), ("37", 37), ("64", 64), ("SIGRTMIN", 34),
        ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("SIGRTMAX", 64), ("rtmin+30", 64), (" SIGINT ", 2), ("SIGPOLL", 29),
    ],
)  # fmt: skip
def test_names_and_numbers(text: str, number: int) -> None:
    assert signals.number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIG",
        "SIGBOGUS",
        "0",
        "65",
        "-9",
        "32",
        "33",
        "SIGRTMIN+31",
        "SIGRTMAX+1",
        "SIGRTMIN-1",
        "9.0",
        "٣",
        "1" * 99,
    ],
)
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a signal"):
        signals.number(text)


@given(st.integers(1, 64).filter(lambda number: number not in (32, 33)))
def test_every_name_is_read_as_its_number(number: int) -> None:
    assert signals.number(signals.name(number)) == number


@given(st.text(max_size=20))
def test_any_text_is_a_signal_or_a_value_error(text: str) -> None:
    try:
        assert 1 <= signals.number(text) <= 64
    except ValueError:
        return
