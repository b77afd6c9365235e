"""The probes, hooks and end of a Kubernetes container. Pure.

Sources: pkg/apis/core/validation (validateProbe, validateHandler, validateLifecycle), pkg/apis/core/v1/defaults.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from executor.errors import InvalidTask
from executor.spec import expansion, signals
from executor.spec.kubernetes.probe_documents import EndingProbe
from executor.spec.probes import Action, Exec, Grpc, Hook, Hooks, HttpGet, Probe, Probes, Sleep, TcpSocket
from executor.spec.reading.faults import Faults

if TYPE_CHECKING:
    from executor.spec.kubernetes.container_documents import Container
    from executor.spec.kubernetes.probe_documents import (
        AnyProbe,
        ExecAction,
        HttpGetAction,
        LifecycleHandler,
        ReadinessProbe,
    )

GRACE_MAX_S = float(2**31)
"""68 years: no longer grace makes a difference."""
PERIOD_S, TIMEOUT_S, SUCCESSES, FAILURES = 10, 1, 1, 3
HEADERS_MAX_BYTES = 16 << 10
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HOST = re.compile(r"[-A-Za-z0-9_.:%]{1,253}")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_KINDS = "exec, httpGet, tcpSocket or grpc"
_HOOK_KINDS = "exec, httpGet, tcpSocket or sleep"


def probes(one: Container, path: str) -> Probes:
    """Raises InvalidTask, or FaultyTask for several faults."""
    faults = Faults()
    made = Probes(
        startup=faults.of(None, _probe, one.startup_probe, one, f"{path}.startupProbe"),
        liveness=faults.of(None, _probe, one.liveness_probe, one, f"{path}.livenessProbe"),
        readiness=faults.of(None, _probe, one.readiness_probe, one, f"{path}.readinessProbe"),
    )
    faults.end()
    return made


def hooks(one: Container, grace_s: float, path: str) -> Hooks:
    """`grace_s` is the pod's. Raises InvalidTask, or FaultyTask for several faults."""
    faults = Faults()
    lifecycle = one.lifecycle
    made = Hooks(
        post_start=faults.of(None, _hook, lifecycle.post_start, one, grace_s, f"{path}.postStart"),
        pre_stop=faults.of(None, _hook, lifecycle.pre_stop, one, grace_s, f"{path}.preStop"),
    )
    faults.end()
    return made


def stop_signal(one: Container, path: str) -> int | None:
    """None: the image's. Raises InvalidTask."""
    text = one.lifecycle.stop_signal
    if not text:
        return None
    try:
        return signals.number(text)
    except ValueError as error:
        raise InvalidTask(str(error), subject=path, hint="as SIGUSR1, SIGRTMIN+3 or a number") from error


def _probe(document: EndingProbe | ReadinessProbe | None, one: Container, path: str) -> Probe | None:
    if document is None:
        return None
    ends = isinstance(document, EndingProbe)
    grace = document.termination_grace_period_seconds if ends else None
    failures = document.failure_threshold or FAILURES
    return Probe(
        action=_action(document, one, path),
        initial_delay_s=float(document.initial_delay_seconds),
        period_s=float(document.period_seconds or PERIOD_S),
        timeout_s=float(document.timeout_seconds or TIMEOUT_S),
        success_threshold=document.success_threshold or SUCCESSES,
        failure_threshold=failures,
        fatal_failures=failures if ends else None,
        grace_s=None if grace is None else min(float(grace), GRACE_MAX_S),
    )


def _action(document: AnyProbe, one: Container, path: str) -> Action:
    given = [document.exec, document.http_get, document.tcp_socket, document.grpc]
    _exactly_one(given, path, _KINDS)
    if document.exec is not None:
        return Exec(_expanded(document.exec, one, f"{path}.exec.command"))
    if document.http_get is not None:
        return _http_get(document.http_get, one, f"{path}.httpGet")
    if document.grpc is not None:
        return Grpc(document.grpc.port, document.grpc.service)
    assert document.tcp_socket is not None  # noqa: S101 - what is left over, said for the type checker
    place = f"{path}.tcpSocket"
    return TcpSocket(_port(document.tcp_socket.port, one, f"{place}.port"), _host(document.tcp_socket.host, place))


def _hook(document: LifecycleHandler | None, one: Container, grace_s: float, path: str) -> Hook | None:
    if document is None:
        return None
    given = [document.exec, document.http_get, document.tcp_socket, document.sleep]
    _exactly_one(given, path, _HOOK_KINDS)
    if document.exec is not None:
        return Exec(_command(document.exec, f"{path}.exec.command"))
    if document.http_get is not None:
        return _http_get(document.http_get, one, f"{path}.httpGet")
    if document.sleep is not None:
        return Sleep(_sleep_s(document.sleep.seconds, grace_s, f"{path}.sleep.seconds"))
    assert document.tcp_socket is not None  # noqa: S101 - what is left over, said for the type checker
    place = f"{path}.tcpSocket"
    return TcpSocket(_port(document.tcp_socket.port, one, f"{place}.port"), _host(document.tcp_socket.host, place))


def _exactly_one(given: Sequence[object], path: str, kinds: str) -> None:
    count = sum(each is not None for each in given)
    if count != 1:
        raise InvalidTask(f"has {count} ways to ask, and needs exactly one: {kinds}", subject=path)


def _sleep_s(seconds: int, grace_s: float, path: str) -> float:
    if seconds > grace_s:
        raise InvalidTask(f"is longer than the pod's terminationGracePeriodSeconds of {grace_s:g}", subject=path)
    return float(seconds)


def _command(action: ExecAction, path: str) -> tuple[str, ...]:
    if not action.command or not action.command[0]:
        raise InvalidTask("needs a command", subject=path)
    if any("\0" in word for word in action.command):
        raise InvalidTask("has a zero byte", subject=path)
    return action.command


def _expanded(action: ExecAction, one: Container, path: str) -> tuple[str, ...]:
    """kubelet fills in the variables whose value the document has (ExpandContainerCommandOnlyStatic)."""
    known = {entry.name: entry.value for entry in one.env if entry.value_from is None}
    budget = expansion.Budget()
    return tuple(expansion.expanded(word, known, budget, path) for word in _command(action, path))


def _http_get(action: HttpGetAction, one: Container, path: str) -> HttpGet:
    faults = Faults()
    made = HttpGet(
        port=faults.of(1, _port, action.port, one, f"{path}.port"),
        path=faults.of("/", _printable, action.path or "/", f"{path}.path"),
        host=faults.of("", _host, action.host, path),
        tls=action.scheme == "HTTPS",
        headers=faults.items(
            lambda header, at: _header(header.name, header.value, at), action.http_headers, f"{path}.httpHeaders"
        ),
    )
    if sum(len(name) + len(value) for name, value in made.headers) > HEADERS_MAX_BYTES:
        faults.add(InvalidTask(f"are longer than {HEADERS_MAX_BYTES} letters together", subject=f"{path}.httpHeaders"))
    faults.end()
    return made


def _header(name: str, value: str, path: str) -> tuple[str, str]:
    if not _HEADER.fullmatch(name):
        hint = "use letters, digits and -, as in X-Probe"
        raise InvalidTask(f"{name[:80]!r} is not a name of a header", subject=f"{path}.name", hint=hint)
    return name, _printable(value.strip(" \t"), f"{path}.value")


def _printable(text: str, path: str) -> str:
    if _CONTROLS.search(text):
        raise InvalidTask("has a control character", subject=path)
    return text


def _host(host: str, path: str) -> str:
    """A name or an address; Kubernetes does not look at it at all."""
    text = host.removeprefix("[").removesuffix("]")
    if text and not _HOST.fullmatch(text):
        raise InvalidTask(f"{host[:80]!r} is neither a name nor an address", subject=f"{path}.host")
    return text


def _port(port: int | str, one: Container, path: str) -> int:
    if isinstance(port, str) and not (port.isascii() and port.isdecimal()):
        return _named(port, one, path)
    if not 1 <= int(str(port)[:9]) <= 65535:
        raise InvalidTask(f"{str(port)[:80]} is not a port", subject=path, hint="use 1 to 65535")
    return int(port)


def _named(name: str, one: Container, path: str) -> int:
    found = [port.container_port for port in one.ports if port.name == name]
    if not name or not found:
        names = ", ".join(port.name for port in one.ports if port.name) or "none"
        message = f"the container has no port with the name {name[:80]!r}"
        raise InvalidTask(message, subject=path, hint=f"its named ports are: {names}")
    return found[0]
