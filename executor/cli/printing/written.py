"""Printing what containers wrote: as it is to a file or a pipe, as text to a terminal."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from executor.cli.printing.cleaning import Cleaner, clean


class Written:
    """One of this process's output streams. With `raw` a terminal, too, gets what was written as it is."""

    def __init__(self, stream: TextIO, *, raw: bool) -> None:
        self._stream = stream
        self._cleaner = Cleaner() if stream.isatty() and not raw else None

    def block(self, block: bytes) -> None:
        """Print the next bytes, at once."""
        if self._cleaner is not None:
            self._text(self._cleaner.feed(block))
            return
        descriptor = self._stream.fileno()
        while block:
            block = block[os.write(descriptor, block) :]

    def line(self, before: str, line: str) -> None:
        """Print one line after what is known of it, at once. On a terminal it stays one line."""
        shown = line if self._cleaner is None else clean(line.removesuffix("\r")).replace("\n", "\ufffd")
        self._text(f"{before}{shown}\n")

    def end(self) -> None:
        """Print what was held back of the last block."""
        if self._cleaner is not None:
            self._text(self._cleaner.end())

    def _text(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def written(*, raw: bool) -> dict[str, Written]:
    """Standard output and standard error, by the names of a container's streams."""
    return {"stdout": Written(sys.stdout, raw=raw), "stderr": Written(sys.stderr, raw=raw)}
