"""Other amounts of cpu and memory for containers that run: what a framework's MESSAGE asks for. Pure.

    {"id": "r-1", "task": "web-0", "containers": {"app": {"limits": {"cpu": "500m", "memory": "128Mi"}}}}

Amounts that are not named stay. The pod keeps the resources of its task, which Mesos does not change: its containers
share these in another way.
Source: Kubernetes, "Resize CPU and Memory Resources assigned to Containers"; KEP-1287.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from executor.errors import InvalidRequest, InvalidTask, Refused
from executor.spec import checks as common
from executor.spec import task_message
from executor.spec.kubernetes import amounts
from executor.spec.kubernetes.container_documents import ResourceRequirements
from executor.spec.model import ContainerKind, ContainerSpec, Limits, PodSpec
from executor.spec.reading import document as manifest
from executor.spec.reading import form
from executor.spec.reading.faults import Faults

SUBJECT: Final = "resize"
_CONTAINERS_MAX: Final = 100
_AMOUNTS: Final = ("cpu", "memory")
_HINT: Final = 'send {"resize": {"id": "r-1", "task": "web-0", "containers": {"app": {"limits": {"cpu": "500m"}}}}}'


@dataclass(frozen=True)
class Request:
    """`containers`: their names, and resources that are not read yet."""

    id: str
    task: str
    containers: Mapping[str, Any]


def parse(document: object) -> Request:
    """Raises InvalidRequest, or InvalidTask for a text that no document may hold."""
    message = task_message.read(document, subject=SUBJECT, content="containers", hint=_HINT)
    containers = message.content
    if not isinstance(containers, Mapping) or not 0 < len(containers) <= _CONTAINERS_MAX:
        text = f"must have 1 to {_CONTAINERS_MAX} containers by their names"
        raise InvalidRequest(text, subject=f"{SUBJECT}.containers", hint=_HINT)
    manifest.vet(containers, subject=f"{SUBJECT}.containers")
    return Request(message.id, message.task, containers)


def applied(spec: PodSpec, request: Request) -> PodSpec:
    """The pod with these amounts. Raises InvalidTask for amounts that do not fit into it, InvalidRequest for a
    container that cannot have others, Refused for one that would have to be restarted.
    """
    known = {one.name: one for one in spec.containers if one.kind is not ContainerKind.INIT}
    changed: dict[str, ContainerSpec] = {}
    for name, resources in request.containers.items():
        path = f"{SUBJECT}.containers.{name[:80]}"
        if name not in known:
            hint = f"it has {', '.join(known)}"[:500]
            raise InvalidRequest("the pod has no such container that goes on", subject=path, hint=hint)
        changed[name] = _container(known[name], resources, spec, path)
    containers = tuple(changed.get(one.name, one) for one in spec.containers)
    common.fits(containers, spec.resources, f"{SUBJECT}.containers")
    return replace(spec, containers=containers)


def _container(one: ContainerSpec, resources: Any, spec: PodSpec, path: str) -> ContainerSpec:
    _check_names(resources, path)
    reading = form.read(resources, ResourceRequirements)
    found = (InvalidTask(each.message, subject=f"{path}.{each.subject}", hint=each.hint) for each in reading.faults)
    faults = Faults(found)
    limits, requests = amounts.amounts(reading.value, spec.resources, path, faults)
    faults.end()
    made = replace(one, limits=_merged(one.limits, limits), requests=_merged(one.requests, requests))
    common.at_most(made.limits, made.requests, path)
    for name, before, after in (
        ("cpu", (one.limits.cpus, one.requests.cpus), (made.limits.cpus, made.requests.cpus)),
        ("memory", one.limits.memory_bytes, made.limits.memory_bytes),
    ):
        if name in one.restarts_to_resize and before != after:
            hint = "its resizePolicy is RestartContainer: launch the task again"
            raise Refused(f"would have to be restarted for other {name}", subject=path, hint=hint)
    return made


def _check_names(resources: Any, path: str) -> None:
    """Amounts of cpu and memory, and no others."""
    for kind in resources if isinstance(resources, Mapping) else ():
        for name in resources[kind] if isinstance(resources[kind], Mapping) else ():
            if name not in _AMOUNTS:
                hint = f"a container that runs can have other {' and '.join(_AMOUNTS)}"
                raise InvalidRequest("cannot be changed", subject=f"{path}.{kind}.{name[:80]}", hint=hint)


def _merged(before: Limits, asked: Limits) -> Limits:
    return replace(
        before,
        cpus=before.cpus if asked.cpus is None else asked.cpus,
        memory_bytes=before.memory_bytes if asked.memory_bytes is None else asked.memory_bytes,
    )
