"""Pods and tasks with probes, hooks and checks, which can ask in one way only."""

from __future__ import annotations

import re

from tests.unit.pod.samples import FULL_MESOS_TASK, FULL_POD, Document, changed, steps

_HTTP: Document = {
    "path": "/up?deep=1",
    "port": "dns",
    "host": "10.0.0.9",
    "scheme": "HTTPS",
    "httpHeaders": [{"name": "X-Token", "value": "a"}],
}
_HANDLERS: Document = {
    "exec": {"command": ["/app", "--drain"]},
    "httpGet": _HTTP,
    "tcpSocket": {"port": "31001", "host": "db.example"},
    "grpc": {"port": 31001, "service": "ready"},
    "sleep": {"seconds": 2},
}
_TIMINGS: Document = {
    "initialDelaySeconds": 5,
    "timeoutSeconds": 2,
    "periodSeconds": 7,
    "failureThreshold": 4,
    "successThreshold": 1,
}
_HANDLED = re.compile(r"spec\.containers\[\]\.(\w+Probe|lifecycle\.\w+)(?:\.(\w+))?")


def with_handler(path: str) -> Document:
    """FULL_POD with a probe or hook at `path` that asks in the way that the path is about: it can ask in one only."""
    match = _HANDLED.match(path)
    if match is None:
        return FULL_POD
    place, way = match.groups()
    handler: Document = {way: _HANDLERS[way]} if way in _HANDLERS else {"exec": _HANDLERS["exec"]}
    if place.endswith("Probe"):
        ends = place != "readinessProbe"
        handler |= _TIMINGS | ({"terminationGracePeriodSeconds": 3} if ends else {"successThreshold": 2})
    elif place == "lifecycle.stopSignal":
        return FULL_POD
    return changed(FULL_POD, steps(f"spec.containers[].{place}"), handler)


_COMMAND: Document = {
    "shell": False,
    "value": "/bin/check",
    "arguments": ["check", "-q"],
    "environment": {"variables": [{"name": "A", "type": "VALUE", "value": "2"}]},
}
_CHECKS: Document = {
    "command": {"command": _COMMAND},
    "http": {"port": 8080, "path": "/up"},
    "tcp": {"port": 8080},
}
_HEALTH: Document = {
    "command": _COMMAND,
    "http": {"port": 8080, "path": "/up", "scheme": "https", "protocol": "IPv6", "statuses": [200]},
    "tcp": {"port": 8080, "protocol": "IPv6"},
}
_CHECK_TIMINGS: Document = {"delay_seconds": 1.5, "interval_seconds": 2.5, "timeout_seconds": 3.5}
_CHECKED = re.compile(r"TaskInfo\.(check|health_check)(?:\.(\w+))?")


def with_check(path: str) -> Document:
    """FULL_MESOS_TASK with a check that asks in the way that the path is about."""
    match = _CHECKED.match(path)
    if match is None:
        return FULL_MESOS_TASK
    field, way = match.groups()
    ways = _CHECKS if field == "check" else _HEALTH
    way = way if way in ways else "command"
    check: Document = {"type": way.upper(), way: ways[way], **_CHECK_TIMINGS}
    if field == "health_check":
        check |= {"consecutive_failures": 5, "grace_period_seconds": 6.5}
    return {**FULL_MESOS_TASK, field: check}
