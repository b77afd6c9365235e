"""CheckInfo and HealthCheck of a Mesos task, every field with what happens to it here. Pure.

Source of the fields and their defaults: include/mesos/v1/mesos.proto of 1.11.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from executor.spec.mesos.message import HostPort, Message, PlainEnvironment
from executor.spec.reading.marks import accepted, refused, supported

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
_PROTOCOL = "IPv6 asks [::1] instead of 127.0.0.1"
_LOOPBACK = "asked on the loopback of the task's own network"


class CheckCommand(Message, frozen=True):
    """A CommandInfo; what it does not have here is the task's own."""

    value: Annotated[str | None, supported("with shell a line for /bin/sh -c, else the program")] = None
    shell: Annotated[bool, supported()] = True
    arguments: Annotated[tuple[str, ...], supported("the first is argv[0], which becomes the value")] = ()
    environment: Annotated[PlainEnvironment, supported("added to the container's own")] = PlainEnvironment()
    user: Annotated[Any, refused("a check runs as the container's user")] = None
    uris: Annotated[Any, refused("a check runs in the container, with its files")] = None


class CommandCheck(Message, frozen=True):
    command: Annotated[CheckCommand, supported()]


class HttpCheck(Message, frozen=True):
    port: Annotated[HostPort, supported(_LOOPBACK)]
    path: Annotated[str, supported("redirects are followed to the same host only")] = ""


class TcpCheck(Message, frozen=True):
    port: Annotated[HostPort, supported(_LOOPBACK)]


class HttpHealthCheck(HttpCheck, frozen=True):
    scheme: Annotated[Literal["http", "https", ""], supported("https without verification")] = "http"
    protocol: Annotated[Literal["IPv4", "IPv6"], supported(_PROTOCOL)] = "IPv4"
    statuses: Annotated[Any, accepted("200 to 399 passes, as with Mesos' own executors")] = None


class TcpHealthCheck(TcpCheck, frozen=True):
    protocol: Annotated[Literal["IPv4", "IPv6"], supported(_PROTOCOL)] = "IPv4"


class _Timings(Message, frozen=True):
    type: Annotated[Literal["COMMAND", "HTTP", "TCP"], supported()]
    delay_seconds: Annotated[Seconds, supported("from the start of the container")] = 15.0
    interval_seconds: Annotated[Seconds, supported("from the end of one to the next; at least 0.1")] = 10.0
    timeout_seconds: Annotated[Seconds, supported("0 is no limit")] = 20.0


class CheckInfo(_Timings, frozen=True):
    command: Annotated[CommandCheck | None, supported("its exit code is reported")] = None
    http: Annotated[HttpCheck | None, supported("its status is reported")] = None
    tcp: Annotated[TcpCheck | None, supported("whether a connection was made is reported")] = None


class HealthCheck(_Timings, frozen=True):
    command: Annotated[CheckCommand | None, supported("0 passes")] = None
    http: Annotated[HttpHealthCheck | None, supported("200 to 399 passes")] = None
    tcp: Annotated[TcpHealthCheck | None, supported("a connection passes")] = None
    consecutive_failures: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)], supported("end the task: TASK_KILLED with healthy false")
    ] = 3
    grace_period_seconds: Annotated[Seconds, supported("failures before the first success do not count in it")] = 10.0
