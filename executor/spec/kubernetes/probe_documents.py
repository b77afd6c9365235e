"""Probes and hooks of a Kubernetes container as documents write them, every field with what happens to it here. Pure.

Source of the fields and their bounds: k8s.io/api/core/v1 types.go, pkg/apis/core/validation. A number that is 0 stands
for its default, as in every document that left an API server.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from executor.spec.kubernetes.document_types import Document, PortNumber, Text
from executor.spec.reading.marks import refused, supported

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_PORT = "a number, or the name of one of the container's ports"
_HOST = "the pod's address without it; a loopback address is the pod's own"


class ExecAction(Document, frozen=True):
    command: Annotated[Text, supported("argv, run in the container without a shell")] = ()


class HttpHeader(Document, frozen=True):
    name: Annotated[str, supported()]
    value: Annotated[str, supported()] = ""


class HttpGetAction(Document, frozen=True):
    port: Annotated[int | str, supported(_PORT)]
    path: Annotated[str, supported("with a query")] = "/"
    host: Annotated[str, supported(_HOST)] = ""
    scheme: Annotated[Literal["HTTP", "HTTPS", ""], supported("HTTPS without verification")] = "HTTP"
    http_headers: Annotated[tuple[HttpHeader, ...], supported("Host, User-Agent and Accept replace the own")] = ()


class TcpSocketAction(Document, frozen=True):
    port: Annotated[int | str, supported(_PORT)]
    host: Annotated[str, supported(_HOST)] = ""


class GrpcAction(Document, frozen=True):
    port: Annotated[PortNumber, supported()]
    service: Annotated[str, supported("asked of grpc.health.v1")] = ""


class SleepAction(Document, frozen=True):
    seconds: Annotated[Count, supported()]


class AnyProbe(Document, frozen=True):
    exec: Annotated[ExecAction | None, supported("costs a process of runc each time; killed at its timeout")] = None
    http_get: Annotated[HttpGetAction | None, supported("200 to 399 passes; 10 KiB of the answer are read")] = None
    tcp_socket: Annotated[TcpSocketAction | None, supported("a connection passes")] = None
    grpc: Annotated[GrpcAction | None, supported("SERVING passes")] = None
    initial_delay_seconds: Annotated[Count, supported("the first probe comes at its end")] = 0
    timeout_seconds: Annotated[Count, supported("1 without it")] = 0
    period_seconds: Annotated[Count, supported("10 without it")] = 0
    failure_threshold: Annotated[Count, supported("3 without it")] = 0


class EndingProbe(AnyProbe, frozen=True):
    """A probe of liveness, or of startup."""

    success_threshold: Annotated[Count, supported("1", only=(0, 1))] = 0
    termination_grace_period_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=2**63 - 1)] | None, supported("of the stop after the last failure; else the pod's")
    ] = None


class ReadinessProbe(AnyProbe, frozen=True):
    success_threshold: Annotated[Count, supported("1 without it")] = 0
    termination_grace_period_seconds: Annotated[Any, refused("a readiness probe ends no container", harmless=())] = None


class LifecycleHandler(Document, frozen=True):
    exec: Annotated[ExecAction | None, supported()] = None
    http_get: Annotated[HttpGetAction | None, supported("any answer passes")] = None
    tcp_socket: Annotated[TcpSocketAction | None, supported("a connection passes; kubelet runs none")] = None
    sleep: Annotated[SleepAction | None, supported()] = None


class Lifecycle(Document, frozen=True):
    post_start: Annotated[
        LifecycleHandler | None, supported("TASK_RUNNING waits for it; one that fails ends the container")
    ] = None
    pre_stop: Annotated[
        LifecycleHandler | None,
        supported("before the stop signal, within the grace of any stop; it ends with its container"),
    ] = None
    stop_signal: Annotated[str | None, supported("SIGUSR1, SIGRTMIN+3, a number; wins over the image's STOPSIGNAL")] = (
        None
    )
