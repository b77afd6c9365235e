"""The annotation `traceparent` of a pod: the span of another program that asked for its launch. Pure.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header.
"""

from __future__ import annotations

import re
from typing import Final

ANNOTATION: Final = "traceparent"
_PARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


def parent(text: str) -> tuple[str, str] | None:
    """The ids of trace and span; None for a text that is not a traceparent."""
    match = _PARENT.fullmatch(text)
    return (match[1], match[2]) if match else None
