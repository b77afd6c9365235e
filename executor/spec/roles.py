"""What the node's configuration says of Mesos roles: which namespaces are theirs, and how much of this node they may
use, also where Mesos gave their tasks more. Pure.

A limit of `eng` holds for `eng` and all roles below it together, once for its regular and once for its revocable pods;
of `eng` and `eng/dev` the lower one holds. It is kept by the kernel, on the role's cgroup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from executor.config.role_limit import RoleLimit
from executor.errors import InvalidTask, Refused

if TYPE_CHECKING:
    from executor.spec.model import PodSpec


def effective(limits: Mapping[str, RoleLimit], role: str) -> Iterator[tuple[str, RoleLimit]]:
    """The limits of a role and of those above it, outermost first, none wider than the one before it."""
    cpus: list[float] = []
    mem_bytes: list[int] = []
    for name in _lineage(role):
        if (limit := limits.get(name)) is not None:
            cpus += [] if limit.cpus is None else [limit.cpus]
            mem_bytes += [] if limit.mem_bytes is None else [limit.mem_bytes]
            yield name, RoleLimit(min(cpus, default=None), min(mem_bytes, default=None))


def cpus_of(limits: Mapping[str, RoleLimit], role: str) -> float | None:
    """What the role's pods of one class may use together; None: no limit."""
    return next((limit.cpus for _, limit in reversed(list(effective(limits, role)))), None)


def check(namespace_to_role: Mapping[str, str], limits: Mapping[str, RoleLimit], spec: PodSpec) -> None:
    """Raises InvalidTask for a pod of a namespace that belongs to another role, Refused for one that its role's limits
    could never hold.
    """
    role = namespace_to_role.get(spec.namespace)
    if role is not None and role != spec.role:
        raise InvalidTask(
            f"pods of the namespace {spec.namespace} belong to the role {role}, but the task's resources are of"
            f" {spec.role}",
            subject="metadata.namespace",
            hint="launch it with resources of that role, or change [roles] namespace_to_role",
        )
    _check_limits(limits, spec)


def _check_limits(limits: Mapping[str, RoleLimit], spec: PodSpec) -> None:
    for role, limit in effective(limits, spec.role):
        wanted_cpus = max((container.limits.cpus or 0.0 for container in spec.containers), default=0.0)
        if limit.cpus is not None and wanted_cpus > limit.cpus:
            _refuse(role, f"{wanted_cpus:g} cpus in one container", f"{limit.cpus:g} cpus")
        if limit.mem_bytes is not None and spec.resources.mem_bytes > limit.mem_bytes:
            _refuse(role, f"{spec.resources.mem_bytes} bytes of memory", f"{limit.mem_bytes} bytes")


def _refuse(role: str, wanted: str, limit: str) -> None:
    raise Refused(
        f"asks for {wanted}, but on this node the role may use no more than {limit}",
        subject=f"role {role}",
        hint="ask for less, or change [roles] limits",
    )


def _lineage(role: str) -> Iterator[str]:
    names = role.split("/")
    return ("/".join(names[:length]) for length in range(1, len(names) + 1))
