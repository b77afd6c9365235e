"""Huge pages of a pod: what its containers may use of them, and its emptyDir volumes on them. Pure.

Kubernetes knows them by the size of the page. A Mesos agent offers them as a resource of the same name, in MiB as mem
is: `--resources=hugepages-2Mi:512`.
Source: Kubernetes, "Manage HugePages"; pkg/apis/core/validation, ValidateResourceRequirements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from executor import quantity
from executor.errors import InvalidTask
from executor.mesos.resources import MIB, Resources
from executor.spec.kubernetes.container_documents import Quantities, ResourceRequirements
from executor.spec.kubernetes.pod_documents import PodSpec
from executor.spec.model import ContainerSpec
from executor.spec.peak import peak
from executor.spec.reading.faults import Faults

SIZES: Final[Mapping[str, int]] = {"2Mi": 2 << 20, "1Gi": 1 << 30}
_NAMES: Final = tuple((f"hugepages-{word}", size) for word, size in SIZES.items())
_MEDIUM: Final = "HugePages"

Amounts = Mapping[int, int]
"""Bytes, by the bytes of a page."""


def of_container(asked: ResourceRequirements, path: str, faults: Faults) -> Amounts:
    """The limits. They cannot be overcommitted: a request has an equal limit. `path` is that of `asked`."""
    limits = _read(asked.limits, f"{path}.limits", faults)
    for size, wanted in _read(asked.requests, f"{path}.requests", faults).items():
        if wanted != limits.get(size, 0):
            message = "needs an equal limit: huge pages cannot be overcommitted"
            faults.add(InvalidTask(message, subject=f"{path}.requests.{_name(size)}"))
    ordinary = (asked.limits.cpu, asked.limits.memory, asked.requests.cpu, asked.requests.memory)
    if limits and all(amount is None for amount in ordinary):
        message = f"asks for {_name(next(iter(limits)))} and for neither cpu nor memory"
        faults.add(InvalidTask(message, subject=f"{path}.limits", hint="add a limit or a request of one of them"))
    return limits


def check(containers: Sequence[ContainerSpec], resources: Resources, path: str, faults: Faults) -> None:
    """Whether the task has what the containers ask for together."""
    for name, wanted_mib in together(containers).items():
        if wanted_mib > (offered_mib := resources.amount(name)):
            message = f"ask for {wanted_mib} MiB of {name} together, and the task's resources have {offered_mib:g}"
            hint = "launch the task with a resource of this name in MiB, which the agent offers (--resources)"
            faults.add(InvalidTask(message, subject=path, hint=hint))


def together(containers: Sequence[ContainerSpec]) -> dict[str, int]:
    """What a task with these containers needs, MiB by name."""
    found = {name: peak(containers, partial(_amount, size), 0) for name, size in _NAMES}
    return {name: amount_bytes // MIB for name, amount_bytes in found.items() if amount_bytes}


def _amount(size: int, container: ContainerSpec) -> int | None:
    return (container.huge_pages or {}).get(size)


def page_bytes(medium: str, spec: PodSpec, path: str) -> int:
    """The page size of an emptyDir volume of this medium; 0: it is on no huge pages. Raises InvalidTask, at `path`,
    where the pod's containers do not ask for such pages.
    """
    if not medium.startswith(_MEDIUM):
        return 0
    asked = {size for one in (*spec.init_containers, *spec.containers) for size in _asked(one.resources.limits)}
    wanted = SIZES.get(medium.removeprefix(f"{_MEDIUM}-"))
    if wanted is None and len(asked) > 1:
        hint = "use " + " or ".join(f"{_MEDIUM}-{word}" for word, size in SIZES.items() if size in asked)
        raise InvalidTask("the containers ask for pages of several sizes", subject=path, hint=hint)
    if wanted not in (*asked, None) or not asked:
        hint = "set resources.limits of hugepages-2Mi or hugepages-1Gi"
        raise InvalidTask("no container asks for such pages", subject=path, hint=hint)
    return wanted or next(iter(asked))


def _read(asked: Quantities, path: str, faults: Faults) -> Amounts:
    found = {}
    for size, amount in _asked(asked).items():
        place = f"{path}.{_name(size)}"
        if amount_bytes := faults.of(0, quantity.size, amount, subject=place):
            found[size] = amount_bytes
            if amount_bytes % size:
                faults.add(InvalidTask(f"is not a whole number of pages: {amount_bytes} bytes", subject=place))
    return found


def _asked(amounts: Quantities) -> dict[int, str | float]:
    both = ((SIZES["2Mi"], amounts.huge_2mi), (SIZES["1Gi"], amounts.huge_1gi))
    return {size: amount for size, amount in both if amount is not None}


def _name(size: int) -> str:
    return next(name for name, each in _NAMES if each == size)
