"""What the resources of a launch add up to. Pure.

Mesos counts `mem` and `disk` in MiB, `cpus` to three digits, and marks a revocable resource with an empty message
(include/mesos/v1/mesos.proto, Resource). A resource that came through a provider keeps its `provider_id`; only its
amount matters here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.errors import InvalidTask
from executor.names import PODS, TASKS, Role

MIB = 1024 * 1024
_OWN = {"cpus", "mem", "disk", "gpus", "ports"}
_MOST = 2.0**53  # what a double counts exactly, and more than any node has


@dataclass(frozen=True)
class PersistentDisk:
    """A persistent volume. `path` is the name by which the agent shows it in the executor's sandbox."""

    id: str
    path: str
    read_only: bool = False
    size_bytes: int = 0


@dataclass(frozen=True)
class Resources:
    """Sums over all tasks of a launch. `ports` are disjoint, sorted ranges with both ends in them."""

    cpus: float = 0.0
    mem_bytes: int = 0
    disk_bytes: int = 0
    gpus: float = 0.0
    ports: tuple[tuple[int, int], ...] = ()
    roles: tuple[Role, ...] = ()
    """Every role that the resources are allocated to, sorted; Mesos allows one in a launch."""
    revocable_names: tuple[str, ...] = ()
    """Names of the resources of which some are revocable, sorted."""
    special_disks: tuple[str, ...] = ()
    """Disks with a source of their own (by type) and no persistent volume on them."""
    persistent_disks: tuple[PersistentDisk, ...] = ()
    """Persistent volumes; their size is not part of `disk_bytes`."""
    is_any: bool = False
    """Stands for every persistent volume and any amount: for a pod that is read without its task."""
    others: tuple[tuple[str, float], ...] = ()
    """Names that the executor only keeps account of, sorted, and how much there is of each; 0 of what has no amount."""

    @property
    def revocable(self) -> bool:
        """Whether the pod is of the revocable class: any of its resources is."""
        return bool(self.revocable_names)

    def offers(self, port: int) -> bool:
        """Whether the node's port belongs to the launch."""
        return any(begin <= port <= end for begin, end in self.ports)

    def amount(self, name: str) -> float:
        """The amount of a resource that is only kept account of."""
        return math.inf if self.is_any else dict(self.others).get(name, 0.0)

    def ports_text(self) -> str:
        """The port ranges, for messages."""
        return ", ".join(f"{begin}-{end}" if end > begin else str(begin) for begin, end in self.ports) or "none"

    @classmethod
    def of(cls, resources: Sequence[Mapping[str, Any]], *, subject: str = "resources") -> Resources:
        """The sum of Mesos v1 JSON resources. Raises InvalidTask naming `subject` and index of what is malformed."""
        total = _Sum()
        for index, resource in enumerate(resources):
            total.add(resource, f"{subject}[{index}]")
        return total.result()


class _Sum:
    def __init__(self) -> None:
        self.scalars: dict[str, float] = {}
        self.names: set[str] = set()
        self.ranges: list[tuple[int, int]] = []
        self.roles: set[Role] = set()
        self.revocable: set[str] = set()
        self.special: list[str] = []
        self.persistent: list[PersistentDisk] = []

    def add(self, resource: Any, subject: str) -> None:
        resource = _message(resource, subject)
        name = _text(resource.get("name"), f"{subject}.name")
        self.names.add(name)
        self.roles.add(_role(resource, subject))
        if resource.get("revocable") is not None:
            self.revocable.add(name)
        if name == "disk" and resource.get("disk") is not None and self._add_special(resource, subject):
            return
        if name == "ports":
            self.ranges.extend(_ranges(resource, subject))
        elif (resource.get("scalar")) is not None:
            self.scalars[name] = self.scalars.get(name, 0.0) + _scalar(resource, subject)

    def _add_special(self, resource: Mapping[str, Any], subject: str) -> bool:
        """Whether it is a persistent volume, which is no room for the pod's own files."""
        disk = _message(resource["disk"], f"{subject}.disk")
        if isinstance(disk.get("persistence"), Mapping):
            size_bytes = round(_scalar(resource, subject) * MIB) if resource.get("scalar") is not None else 0
            self.persistent.append(_persistent_disk(disk, size_bytes, f"{subject}.disk"))
            return True
        if isinstance(source := disk.get("source"), Mapping):
            self.special.append(f"source {source.get('type', '')}".strip())
        return False

    def result(self) -> Resources:
        return Resources(
            cpus=round(self.scalars.get("cpus", 0.0), 3),
            mem_bytes=round(self.scalars.get("mem", 0.0) * MIB),
            disk_bytes=round(self.scalars.get("disk", 0.0) * MIB),
            gpus=self.scalars.get("gpus", 0.0),
            ports=tuple(_merged(self.ranges)),
            roles=tuple(sorted(self.roles)),
            revocable_names=tuple(sorted(self.revocable)),
            special_disks=tuple(self.special),
            persistent_disks=tuple(self.persistent),
            others=tuple((name, self.scalars.get(name, 0.0)) for name in sorted(self.names - _OWN)),
        )


def _message(value: Any, subject: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidTask(f"is not a JSON object but {type(value).__name__}", subject=subject)
    return value


def _text(value: Any, subject: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidTask("is missing or no text", subject=subject)
    return value


def _role(resource: Mapping[str, Any], subject: str) -> Role:
    """`allocation_info.role`; agents before Mesos 1.3 put the framework's role into the resource itself."""
    if (allocation := resource.get("allocation_info")) is not None:
        role = _message(allocation, f"{subject}.allocation_info").get("role")
        return Role(_text(role, f"{subject}.allocation_info.role"))
    return Role(_text(resource.get("role", "*"), f"{subject}.role"))


def _scalar(resource: Mapping[str, Any], subject: str) -> float:
    value = _message(resource["scalar"], f"{subject}.scalar").get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST or math.isnan(value):
        raise InvalidTask("is not an amount from 0 up", subject=f"{subject}.scalar.value")
    return float(value)


def _ranges(resource: Mapping[str, Any], subject: str) -> Iterator[tuple[int, int]]:
    listed = _message(resource.get("ranges", {}), f"{subject}.ranges").get("range", [])
    if not isinstance(listed, list | tuple):
        raise InvalidTask("is not a list", subject=f"{subject}.ranges.range")
    for index, item in enumerate(listed):
        place = f"{subject}.ranges.range[{index}]"
        bounds = _message(item, place)
        begin, end = (bounds.get(key) for key in ("begin", "end"))
        if not (type(begin) is int and type(end) is int and 0 <= begin <= end <= 65535):
            raise InvalidTask("is not a range of ports", subject=place)
        yield begin, end


def _merged(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    current: tuple[int, int] | None = None
    for begin, end in sorted(ranges):
        if current is None or begin > current[1] + 1:
            if current is not None:
                yield current
            current = begin, end
        else:
            current = current[0], max(current[1], end)
    if current is not None:
        yield current


def _persistent_disk(disk: Mapping[str, Any], size_bytes: int, subject: str) -> PersistentDisk:
    identity = _text(disk["persistence"].get("id"), f"{subject}.persistence.id")
    volume = _message(disk.get("volume"), f"{subject}.volume")
    path = _text(volume.get("container_path"), f"{subject}.volume.container_path")
    if {"/", "\0"} & set(path) or path in (".", "..", PODS, TASKS):
        message = f"{path[:80]!r} cannot name a directory in the Mesos sandbox"
        hint = f"give it one name without /, as in data, and neither {PODS} nor {TASKS}, which are the executor's"
        raise InvalidTask(message, subject=f"{subject}.volume.container_path", hint=hint)
    return PersistentDisk(identity, path, volume.get("mode") == "RO", size_bytes)
