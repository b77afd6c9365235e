"""The form of an ExecutorInfo, as far as this program reads one: a document of another form is refused before its
contents are looked at. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Id(msgspec.Struct):
    value: str = ""


class Scalar(msgspec.Struct):
    value: float


class Resource(msgspec.Struct):
    name: str
    scalar: Scalar | None = None
    revocable: dict[str, Any] | None = None
    allocation_info: dict[str, Any] | None = None


class NetworkInfo(msgspec.Struct):
    name: str = ""


class Container(msgspec.Struct):
    network_infos: list[NetworkInfo] = []


class Duration(msgspec.Struct):
    nanoseconds: int


class ExecutorInfo(msgspec.Struct):
    executor_id: Id | None = None
    type: str | None = None
    command: dict[str, Any] | None = None
    container: Container | None = None
    resources: list[Resource] = []
    shutdown_grace_period: Duration | None = None
