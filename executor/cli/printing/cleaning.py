"""What containers write, made fit for a terminal: text and nothing that steers it. Pure.

A program in a container can print escape sequences that change the title, the colours and the keys of a terminal, hide
lines, or make it answer as if a person had typed. So colours are left out, a lone carriage return begins a line, and
every other letter that is not shown becomes U+FFFD. Output that comes block by block gives the same text as in one.
Source: ECMA-48; console_codes(4).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]{0,60}m")
_BEGUN: Final = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,60})?|\r)\Z")
_RETURN: Final = re.compile(r"\r\n?")
_ODD: Final = re.compile(r"[^\t\n\x20-\x7e]")


class Cleaner:
    """One stream of output."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, block: bytes) -> str:
        """The text of the next block. The beginning of a letter or of a colour is held back for the next one."""
        text = self._held + self._decoder.decode(block)
        begun = _BEGUN.search(text)
        self._held = "" if begun is None else begun[0]
        return clean(text[: len(text) - len(self._held)])

    def end(self) -> str:
        """What was held back, after the last block."""
        text, self._held = self._held + self._decoder.decode(b"", final=True), ""
        return clean(text)


def clean(text: str) -> str:
    """A text of any number of lines."""
    return _ODD.sub(_shown, _RETURN.sub("\n", _COLOUR.sub("", text)))


def _shown(match: re.Match[str]) -> str:
    letter = match[0]
    return letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else "\ufffd"
