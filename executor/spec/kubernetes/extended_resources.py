"""Extended resources of a pod, such as `example.com/dongle`: they are counted, and bring nothing with them. Pure.

A Mesos agent may offer resources of any name. A pod that asks for an extended resource needs as many of it among its
task's resources. Where Kubernetes has a device plugin for it, a container finds a device; here it finds none.
Source: Kubernetes, "Assign Extended Resources to a Container"; pkg/apis/core/validation, ValidateResourceRequirements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from executor import quantity
from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.spec.kubernetes import names
from executor.spec.kubernetes.container_documents import ResourceRequirements
from executor.spec.model import ContainerSpec
from executor.spec.peak import peak
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import shown

Amounts = Mapping[str, int]


def of_container(asked: ResourceRequirements, path: str, faults: Faults) -> Amounts:
    """How many of each. They cannot be overcommitted: a request has an equal limit. `path` is that of `asked`."""
    limits = _read(asked.limits.extended, f"{path}.limits", faults)
    requests = _read(asked.requests.extended, f"{path}.requests", faults)
    for name, wanted in requests.items():
        if name not in limits:
            faults.add(InvalidTask("has no limit, and needs an equal one", subject=f"{path}.requests.{name}"))
        elif limits[name] != wanted:
            message = f"is {wanted}, and its limit {limits[name]}: they must be equal"
            faults.add(InvalidTask(message, subject=f"{path}.requests.{name}"))
    return limits


def check(containers: Sequence[ContainerSpec], resources: Resources, path: str, faults: Faults) -> None:
    """Whether the task has what the containers ask for together."""
    for name, wanted in together(containers).items():
        if wanted > (offered := resources.amount(name)):
            message = f"ask for {wanted} of {name} together, and the task's resources have {offered:g}"
            hint = "launch the task with a resource of this name, which the agent offers (--resources), or leave it out"
            faults.add(InvalidTask(message, subject=path, hint=hint))


def together(containers: Sequence[ContainerSpec]) -> Amounts:
    """What a task with these containers needs."""
    names = sorted({name for container in containers for name in container.extended})
    return {name: peak(containers, lambda one, name=name: one.extended.get(name), 0) for name in names}  # type: ignore[misc]


def _read(asked: Mapping[str, str | float], path: str, faults: Faults) -> Amounts:
    found = {}
    for name, amount in asked.items():
        place = f"{path}.{shown(name)}"
        faults.check(names.qualified, name, place)
        if (count := faults.of(0, _whole, amount, place)) > 0:
            found[name] = count
    return found


def _whole(amount: str | float, path: str) -> int:
    found = quantity.parse(amount, subject=path)
    if found.denominator != 1:
        raise InvalidTask(f"{amount!r} is not a whole number", subject=path)
    return int(found)
