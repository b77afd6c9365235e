"""Whether a document from another process has what a command reads of it. Pure."""

from __future__ import annotations

from typing import Any


def fault(shape: Any, document: object) -> str:
    """The text of what the document lacks of `shape` (a TypedDict), and where; empty for nothing. Further keys are no
    fault.
    """
    import msgspec

    try:
        msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        return str(error)
    return ""
