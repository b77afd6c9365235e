"""TOML that takes its reader too long, or raises what nobody expects."""

from __future__ import annotations

import time

import pytest

from executor.bounded_toml import TEXT_MAX_BYTES, TomlError, loads
from executor.config import load
from executor.config.role_policy import RolePolicy
from executor.errors import InvalidConfig


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"[{'a.' * (1 << 19)}a]", "has more than 131072 bytes"),
        ("a = " + "9" * 5_000, "Exceeds the limit"),
        ("a = " + "[" * 5_000, "nested too deep"),
        ("a = ", "Invalid value"),
    ],
    ids=["long", "number", "deep", "broken"],
)
def test_refused(text: str, words: str) -> None:
    with pytest.raises(TomlError, match=words):
        loads(text)
    with pytest.raises(InvalidConfig, match="is not TOML"):
        load(text, {}, source="config.toml")
    with pytest.raises(ValueError, match="privileged, baseline or restricted"):
        RolePolicy.of(f"{{{text}}}")


def test_the_largest_text_is_read_in_time() -> None:
    """Its time grows with the square of a key's parts, so a quarter of them may take a sixteenth of 5 s."""
    begun_s = time.process_time()
    loads(f"[{'a.' * ((TEXT_MAX_BYTES - 3) // 2 // 4)}a]")
    assert time.process_time() - begun_s < 5 / 16
