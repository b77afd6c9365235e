"""Golden files: what a command prints, to the letter."""

from __future__ import annotations

import os
from pathlib import Path


def expected(file: Path, printed: str) -> str:
    """What the file has; MPE_WRITE_GOLDEN=1 writes it anew, to be read before it is committed."""
    if os.environ.get("MPE_WRITE_GOLDEN"):
        file.write_text(printed)
    return file.read_text()
