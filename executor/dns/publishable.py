"""What one foreign status may publish: its addresses, its Mesos names, and the names that its labels claim. Pure.

The statuses of an executor are written by its framework. Two facts of a status can be known: the task's role, which the
master keeps, and whether an executor of the framework sent it. So labels count only in a status that the task's own
executor sent, only for names within the namespace that they give, and only if that namespace belongs to the task's role
or to none ([roles] namespace_to_role).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from executor.dns.names import (
    NAMES_LABEL,
    NAMESPACE_LABEL,
    Pair,
    PodNames,
    Zones,
    first_of_each_family,
    from_labels,
    mesos_names,
    unpublishable,
)
from executor.mesos.operator.messages import Status

_SHOWN_MAX = 80
SOURCE_EXECUTOR = "SOURCE_EXECUTOR"


@dataclass(frozen=True)
class Origin:
    """The origin of a task, by the source's word: not the executor's own."""

    task_id: str
    name: str
    framework: str
    agent: str
    executor: str
    role: str


@dataclass(frozen=True)
class Claims:
    """`refused`: what the status claims and does not get, in words."""

    pairs: tuple[Pair, ...] = ()
    refused: tuple[str, ...] = ()


def claims(status: Status, origin: Origin, zones: Zones, namespace_to_role: Mapping[str, str]) -> Claims:
    """What `status` may publish. `namespace_to_role` is [roles] namespace_to_role."""
    unusable = {ip: why for ip in status.ips if (why := unpublishable(ip))}
    ips = first_of_each_family(ip for ip in status.ips if ip not in unusable)
    refused = [f"{_shown(ip)}: {why}" for ip, why in unusable.items()]
    names, namespace = _labelled(status, zones)
    if why := _why_not(status, origin, namespace, namespace_to_role):
        refused.append(f"names of the namespace {_shown(namespace)}: {why}")
        names, namespace = (), ""
    mesos = mesos_names(origin.name, origin.task_id, origin.framework, origin.agent, zones)
    made = PodNames(ips, (*names, *mesos), zones.pod(namespace) if namespace else "")
    return Claims(made.pairs(), tuple(refused))


def _labelled(status: Status, zones: Zones) -> tuple[tuple[str, ...], str]:
    labels = {label.key: label.value for label in status.labels.labels}
    return from_labels(labels, zones) if NAMES_LABEL in labels or NAMESPACE_LABEL in labels else ((), "")


def _why_not(status: Status, origin: Origin, namespace: str, namespace_to_role: Mapping[str, str]) -> str:
    if not namespace:
        return ""
    if not origin.executor or status.source != SOURCE_EXECUTOR or status.executor_id.value != origin.executor:
        return "no executor of the framework sent the status"
    role = namespace_to_role.get(namespace, origin.role)
    return "" if role == origin.role else f"it belongs to the role {role}, the task's is {_shown(origin.role)}"


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN_MAX])
