"""Golden files: what a command prints, to the letter."""

from __future__ import annotations

import os
from pathlib import Path


def compare(file: Path, text: str) -> None:
    """MPE_WRITE_GOLDEN=1 writes the files anew, to be read before they are committed."""
    if os.environ.get("MPE_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()
