"""Sets of capabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InvalidTask
from executor.spec.capabilities import ALL, DEFAULT, EVERY, granted, named, of_mask

SETS = st.lists(st.sampled_from([ALL, *EVERY]), max_size=4)


def test_the_kernel_has_41_and_the_default_is_14_of_them() -> None:
    assert (len(EVERY), len(set(EVERY)), len(DEFAULT)) == (41, 41, 14)
    assert EVERY[21] == "CAP_SYS_ADMIN"
    assert DEFAULT.issubset(EVERY)


def test_names_are_completed_and_checked() -> None:
    assert named(["kill", "CAP_SYS_ADMIN", "ALL"], "x") == ("CAP_KILL", "CAP_SYS_ADMIN", ALL)
    with pytest.raises(InvalidTask) as caught:
        named(["KILL", "FLY"], "spec.add")
    assert caught.value.subject == "spec.add[1]"


def test_adding_and_dropping() -> None:
    assert set(granted((), ())) == DEFAULT
    assert granted((), (ALL,)) == ()
    assert granted((ALL,), ()) == EVERY
    assert granted(("CAP_KILL",), (ALL,)) == ("CAP_KILL",)
    assert set(granted((ALL,), ("CAP_KILL",))) == set(EVERY) - {"CAP_KILL"}
    assert set(granted(("CAP_SYS_TIME",), ("CAP_CHOWN",))) == (DEFAULT | {"CAP_SYS_TIME"}) - {"CAP_CHOWN"}


@given(SETS, SETS)
def test_what_is_dropped_by_name_is_gone(add: list[str], drop: list[str]) -> None:
    held = granted(add, drop)
    assert set(held).isdisjoint(drop)
    assert set(held) >= (set(add) - set(drop) - {ALL})


def test_the_bits_of_a_mask() -> None:
    assert of_mask(1 << 21 | 1) == {"CAP_CHOWN", "CAP_SYS_ADMIN"}
    assert of_mask((1 << 41) - 1) == frozenset(EVERY)
