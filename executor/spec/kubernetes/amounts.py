"""What a container of a Kubernetes v1 Pod asks of cpu, memory and disk. Pure."""

from __future__ import annotations

from executor import quantity
from executor.mesos.resources import Resources
from executor.spec import checks as common
from executor.spec.kubernetes.container_documents import Quantities, ResourceRequirements
from executor.spec.model import Limits
from executor.spec.reading.faults import Faults


def amounts(asked: ResourceRequirements, resources: Resources, path: str, faults: Faults) -> tuple[Limits, Limits]:
    """Limits and requests. Zero is no limit, as in Kubernetes."""
    limits = faults.of(Limits(), _limits, asked.limits, resources, f"{path}.limits")
    requests = faults.of(Limits(), _read, asked.requests, f"{path}.requests")
    faults.check(common.at_most, limits, requests, path)
    return limits, requests


def _limits(asked: Quantities, resources: Resources, path: str) -> Limits:
    found = _read(asked, path)
    if found.memory_bytes is None:
        return found
    memory_bytes = common.memory(found.memory_bytes, resources, f"{path}.memory")
    return Limits(found.cpus, memory_bytes, found.ephemeral_bytes)


def _read(asked: Quantities, path: str) -> Limits:
    faults = Faults()
    made = Limits(
        cpus=faults.of(None, _cores, asked.cpu, f"{path}.cpu"),
        memory_bytes=faults.of(None, _size, asked.memory, f"{path}.memory"),
        ephemeral_bytes=faults.of(None, _size, asked.ephemeral_storage, f"{path}.ephemeral-storage"),
    )
    faults.end()
    return made


def _cores(amount: str | float | None, path: str) -> float | None:
    if amount is None or not quantity.parse(amount, subject=path):
        return None
    return quantity.cores(amount, subject=path)


def _size(amount: str | float | None, path: str) -> int | None:
    return None if amount is None else quantity.size(amount, subject=path) or None
