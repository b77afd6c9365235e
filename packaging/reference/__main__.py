"""Writes the documents."""

from __future__ import annotations

from reference import DIRECTORY, documents

for name, text in documents().items():
    (DIRECTORY / name).write_text(text, encoding="utf-8")
