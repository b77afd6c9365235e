"""Work that a cancellation must not cut in two: the tool that all parts share, by the name that it has here."""

from __future__ import annotations

from executor.concurrency import to_the_end as shielded

__all__ = ["shielded"]
