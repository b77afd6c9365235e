"""Output of containers on a terminal: it is shown, and steers nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cli.printing.cleaning import Cleaner, clean


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("gr\u00fcn \u65e5\u672c\u3000\u8a9e \U0001f44d\n".encode(), "gr\u00fcn \u65e5\u672c\u3000\u8a9e \U0001f44d\n"),
        (b"\x1b[31mred\x1b[0m \x1b[1;38;5;9mx\x1b[m", "red x"),
        (b"\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        (b"\x1b[2J\x1b[H\x1b[6n", "\ufffd[2J\ufffd[H\ufffd[6n"),
        (b"\x1b]52;c;cm0gLXJmCg==\x1b\\", "\ufffd]52;c;cm0gLXJmCg==\ufffd\\"),
        (b"safe\rEVIL\r\nnext\r\n", "safe\nEVIL\nnext\n"),
        (b"a\x08\x08b\x00\x7f\x9b1m", "a\ufffd\ufffdb\ufffd\ufffd\ufffd1m"),
        ("a\u202egnp.exe \u2028b\x85".encode(), "a\ufffdgnp.exe \ufffdb\ufffd"),
        (b"\xff\xfe half \xc3", "\ufffd\ufffd half \ufffd"),
        (b"\x1b", "\ufffd"),
        (b"end\r", "end\n"),
        (b"\x1b[" + b"1;" * 100 + b"m", "\ufffd[" + "1;" * 100 + "m"),
    ],
)
def test_what_is_shown(written: bytes, shown: str) -> None:
    cleaner = Cleaner()
    assert cleaner.feed(written) + cleaner.end() == shown


@given(st.lists(st.sampled_from([b"\x1b", b"[", b"31", b"m", b"\r", b"\n", b"a", b"\xc3", b"\xa9", b"\x00", b";"])))
def test_blocks_give_the_same_as_one(blocks: list[bytes]) -> None:
    one, several = Cleaner(), Cleaner()
    whole = one.feed(b"".join(blocks)) + one.end()
    assert "".join(map(several.feed, blocks)) + several.end() == whole


@given(st.text())
def test_nothing_is_left_that_steers(text: str) -> None:
    assert all(letter.isprintable() or letter in "\n\t" or letter.isspace() for letter in clean(text))
    assert not set(clean(text)) & set(map(chr, (*range(9), 11, 12, *range(13, 32), *range(127, 160))))


def test_what_is_held_back_is_bounded() -> None:
    cleaner = Cleaner()
    for _ in range(1000):
        cleaner.feed(b"\x1b[" + b"1" * 59)
    assert len(cleaner.end()) < 100
