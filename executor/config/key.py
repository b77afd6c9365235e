"""One key of a configuration section: a field of a frozen dataclass with its meaning and its limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any


def key(default: object, doc: str, **limits: object) -> Any:
    """A field with `default`; `doc` is what an operator reads. `least` and `most` bound a number, `choices` lists the
    words that a text may be. The other limits are those of checks.py: `absolute` demands paths from the root, `filled`
    a name, `roles` a table whose keys are roles, ...
    """
    if isinstance(default, Mapping):  # dataclasses take a factory only, for what cannot be hashed
        return field(default_factory=lambda: default, metadata={"doc": doc, **limits})
    return field(default=default, metadata={"doc": doc, **limits})
