"""What a pod uses of the node's disk, by part. Pure.

The parts are those of the pod's directory in the Mesos sandbox (volumes, logs, the rest) and the writable layers of its
containers' root file systems, which are containerd's. Bytes are blocks in use, as du and quotas count them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from executor.names import TASKS
from executor.volumes.empty_dir import VOLUMES

_STREAMS = (b"stdout", b"stderr")


@dataclass(frozen=True)
class DiskUsage:
    """`rootfs` and `logs` by container, `volumes` by emptyDir, and `sandbox` those of Mesos tasks; in
    bytes. `complete`: everything could be counted."""

    rootfs: Mapping[str, int] = field(default_factory=dict)
    logs: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)
    other: int = 0
    complete: bool = True
    unlinked: int = 0
    """Files that were removed and are still open; the agent does not count them."""

    @property
    def in_sandbox(self) -> int:
        """What the agent's disk isolators count too."""
        return sum(self.logs.values()) + sum(self.volumes.values()) + self.other

    @property
    def total(self) -> int:
        """In bytes: the root file systems, what is in the sandbox, and what is in neither any more."""
        return sum(self.rootfs.values()) + self.in_sandbox + self.unlinked

    def parts(self) -> dict[str, int]:
        """In bytes, by the names that messages, `inspect` and metrics use."""
        return {
            "rootfs": sum(self.rootfs.values()),
            "volumes": sum(self.volumes.values()),
            "logs": sum(self.logs.values()),
            "other": self.other,
            "unlinked": self.unlinked,
        }

    def view(self) -> dict[str, object]:
        """For `ps --json` and `inspect`."""
        parts = {f"{name}_bytes": size for name, size in self.parts().items()}
        return {"total_bytes": self.total, **parts, "complete": self.complete}


def divider(containers: Collection[str]) -> Callable[[str, int, bytes], str]:
    """Which part an entry of the pod's directory belongs to, as executor.disk.walk asks."""
    names = {name.encode(): name for name in containers}

    def part(above: str, depth: int, name: bytes) -> str:
        if depth == 0:
            if name == VOLUMES.encode():
                return VOLUMES
            if name == TASKS.encode():
                return f"{VOLUMES}/sandbox"
            container, _, rest = name.partition(b".")
            return f"logs/{names[container]}" if container in names and rest.startswith(_STREAMS) else ""
        if depth == 1 and above == VOLUMES:
            return f"{VOLUMES}/{name.decode(errors='replace')}"
        return above

    return part


def of_parts(counted: Mapping[str, int], rootfs: Mapping[str, int], *, complete: bool, unlinked: int = 0) -> DiskUsage:
    """`counted`: bytes by the parts of `divider`."""
    logs, volumes, other = dict[str, int](), dict[str, int](), 0
    for part, size in counted.items():
        kind, _, name = part.partition("/")
        if name and kind == "logs":
            logs[name] = size
        elif name and kind == VOLUMES:
            volumes[name] = size
        else:
            other += size
    return DiskUsage(dict(rootfs), logs, volumes, other, complete, unlinked)
