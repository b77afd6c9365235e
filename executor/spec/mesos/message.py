"""What several messages of Mesos have in common: their form, and the environment of a command. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from executor.spec.marks import refused, supported

HostPort = Annotated[int, Meta(ge=1, le=65535)]

SECRETS = "there is no secret store here"


class Message(Struct, frozen=True, kw_only=True):
    """A protobuf message as JSON, with the names of the .proto."""


class Variable(Message, frozen=True):
    name: Annotated[str, supported()]
    type: Annotated[
        Literal["VALUE", "UNKNOWN", "SECRET"], supported("SECRET is refused", only=("VALUE", "UNKNOWN"))
    ] = "VALUE"
    value: Annotated[str, supported()] = ""
    secret: Annotated[Any, refused(SECRETS)] = None


class Environment(Message, frozen=True):
    variables: Annotated[tuple[Variable, ...], supported()] = ()
