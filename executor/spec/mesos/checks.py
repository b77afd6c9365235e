"""The checks of a Mesos task as probes of its container. Pure.

Sources: src/common/validation.cpp (validateCheckInfo, validateHealthCheck), src/checks/health_checker.cpp of 1.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec.probes import Action, Exec, HttpGet, Probe, Probes, TcpSocket
from executor.spec.reading.faults import Faults

if TYPE_CHECKING:
    from executor.spec.mesos.check_documents import CheckCommand, CheckInfo, HealthCheck, HttpCheck, TcpCheck

INTERVAL_MIN_S = 0.1
"""An interval of 0 would have the executor do nothing else."""
IPV4, IPV6 = "127.0.0.1", "::1"


def probes(check: CheckInfo | None, health: HealthCheck | None, path: str) -> Probes:
    """Raises InvalidTask, or FaultyTask for several faults."""
    faults = Faults()
    made = Probes(
        health=faults.of(None, _health, health, f"{path}.health_check"),
        check=faults.of(None, _check, check, f"{path}.check"),
    )
    faults.end()
    return made


def _check(check: CheckInfo | None, path: str) -> Probe | None:
    if check is None:
        return None
    command = check.command.command if check.command is not None else None
    action = _action(check.type, command, check.http, check.tcp, f"{path}.command" if command else path, path)
    return Probe(
        action,
        initial_delay_s=check.delay_seconds,
        period_s=max(check.interval_seconds, INTERVAL_MIN_S),
        period_from_end=True,
        timeout_s=check.timeout_seconds or None,
    )


def _health(health: HealthCheck | None, path: str) -> Probe | None:
    """The first failure makes it unhealthy, and a row of them ends it."""
    if health is None:
        return None
    return Probe(
        _action(health.type, health.command, health.http, health.tcp, path, path),
        initial_delay_s=health.delay_seconds,
        period_s=max(health.interval_seconds, INTERVAL_MIN_S),
        period_from_end=True,
        timeout_s=health.timeout_seconds or None,
        failure_threshold=1,
        fatal_failures=max(1, health.consecutive_failures),
        ignore_failures_s=health.grace_period_seconds,
    )


def _action(
    kind: str, command: CheckCommand | None, http: HttpCheck | None, tcp: TcpCheck | None, of_command: str, path: str
) -> Action:
    if kind == "COMMAND" and command is not None:
        return _command(command, f"{of_command}.command")
    if kind == "HTTP" and http is not None:
        return _http(http, f"{path}.http")
    if kind == "TCP" and tcp is not None:
        return TcpSocket(tcp.port, loopback=_loopback(tcp))
    raise InvalidTask(f"is missing, and type is {kind}", subject=f"{path}.{kind.lower()}")


def _command(command: CheckCommand, path: str) -> Exec:
    if not command.value:
        raise InvalidTask("is missing", subject=f"{path}.value", hint="it is required")
    words = ("/bin/sh", "-c", command.value) if command.shell else (command.value, *command.arguments[1:])
    if any("\0" in word for word in words):
        raise InvalidTask("has a zero byte", subject=path)
    variables = command.environment.variables
    names = f"{path}.environment.variables"
    env = tuple((common.variable(one.name, f"{names}[{at}].name"), one.value) for at, one in enumerate(variables))
    return Exec(words, env)


def _http(http: HttpCheck, path: str) -> HttpGet:
    if http.path and not http.path.startswith("/"):
        raise InvalidTask("must start with /", subject=f"{path}.path")
    tls = getattr(http, "scheme", "") == "https"
    return HttpGet(http.port, http.path or "/", tls=tls, loopback=_loopback(http))


def _loopback(check: HttpCheck | TcpCheck) -> str:
    return IPV6 if getattr(check, "protocol", "IPv4") == "IPv6" else IPV4
