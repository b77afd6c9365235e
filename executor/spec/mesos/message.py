"""What several messages of Mesos have in common: their form, and the environment of a command. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from executor.spec.reading.marks import refused, supported

HostPort = Annotated[int, Meta(ge=1, le=65535)]

SECRETS = "there is no secret store here"


class Message(Struct, frozen=True, kw_only=True):
    """A protobuf message as JSON, with the names of the .proto."""


class SecretValue(Message, frozen=True):
    data: Annotated[str, supported("base64")]


class Secret(Message, frozen=True):
    type: Annotated[Literal["VALUE"], supported("VALUE", only=("VALUE",))]
    reference: Annotated[Any, refused(SECRETS)] = None
    value: Annotated[SecretValue | None, supported()] = None


class Variable(Message, frozen=True):
    name: Annotated[str, supported()]
    type: Annotated[Literal["VALUE", "UNKNOWN", "SECRET"], supported()] = "VALUE"
    value: Annotated[str, supported()] = ""
    secret: Annotated[Secret | None, supported("with type SECRET; in memory only")] = None


class Environment(Message, frozen=True):
    variables: Annotated[tuple[Variable, ...], supported()] = ()


class PlainVariable(Message, frozen=True):
    name: Annotated[str, supported()]
    type: Annotated[
        Literal["VALUE", "UNKNOWN", "SECRET"], supported("SECRET is for the task's own", only=("VALUE", "UNKNOWN"))
    ] = "VALUE"
    value: Annotated[str, supported()] = ""
    secret: Annotated[Any, refused("a check has the container's variables, which may be secrets")] = None


class PlainEnvironment(Message, frozen=True):
    variables: Annotated[tuple[PlainVariable, ...], supported()] = ()
