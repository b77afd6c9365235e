"""What all documents of Kubernetes have in common: their form, and the types of values. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

PortNumber = Annotated[int, Meta(ge=1, le=65535)]
Id = Annotated[int, Meta(ge=0, le=2147483647)]
Quantity = str | int | float
Protocol = Literal["TCP", "UDP", "SCTP"]
Text = tuple[str, ...]


class Document(Struct, frozen=True, kw_only=True, rename="camel"):
    """A JSON object with names in camelCase."""
