"""The cpuset controller: the CPUs that a group's processes may run on.

On v2 an empty setting is the parent's, and the kernel takes CPUs that the parent has not: then the group has those that
both have, or, where there is none, the parent's (cgroup-v2.rst, cpuset.cpus). v1 refuses what the parent has not, and a
group there that is to hold processes has CPUs of its own from the beginning (create.py).
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from dataclasses import dataclass

from cgroups.controller import Home, write_present
from cgroups.errors import CgroupError
from cgroups.files import Directory
from cgroups.mounts import Mode

CPUS = "cpuset.cpus"


@dataclass(frozen=True, kw_only=True)
class Cpuset:
    """None leaves the setting as it is. Raises ValueError for no CPU at all."""

    cpus: Collection[int] | None = None

    controller = "cpuset"

    def __post_init__(self) -> None:
        if self.cpus is not None and not self.cpus:
            raise ValueError("a group without a CPU could not run anything")

    def values(self, _mode: Mode) -> dict[str, str]:
        """File to text, alike in both dialects."""
        return {} if self.cpus is None else {CPUS: cpu_list(self.cpus)}

    def write(self, directory: Directory, mode: Mode) -> list[str]:
        """Applies, and returns the files that this kernel does not have. Raises CgroupError where the group got other
        CPUs.
        """
        missing = write_present(directory, self.values(mode))
        found = effective((directory, mode)) if self.cpus is not None and not missing else None
        if found is not None and not found <= set(self.cpus or ()):
            text = f"{cpu_list(self.cpus or ())} are not here: the processes would run on {cpu_list(found)}"
            raise CgroupError(errno.EINVAL, text, path=f"{directory.path}/{CPUS}")
        return missing


def effective(cpuset: Home | None) -> frozenset[int] | None:
    """The CPUs in force; None where no cpuset controller has the group."""
    if cpuset is None:
        return None
    directory, mode = cpuset
    text = directory.read_optional("cpuset.cpus.effective" if mode is Mode.V2 else "cpuset.effective_cpus")
    return None if text is None else parse_cpus(text)


def parse_cpus(text: str) -> frozenset[int]:
    """CPUs of the kernel's form of a list, such as 0-3,8. Raises ValueError. Source: cpuset(7), "List format"."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        if not (first.isascii() and first.isdigit() and (not _ or (last.isascii() and last.isdigit()))):
            raise ValueError(f"{part!r} is neither a CPU nor a range of CPUs")
        if not int(first) <= int(last or first) <= CPU_MAX:
            raise ValueError(f"{part!r} is not a range of CPUs from 0 to {CPU_MAX}")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


CPU_MAX = 8191
"""The kernel's largest NR_CPUS (arch/x86/Kconfig) less one."""


def cpu_list(cpus: Collection[int]) -> str:
    """The inverse of `parse_cpus`."""
    parts: list[str] = []
    first = None
    for cpu in sorted(cpus):
        first = cpu if first is None else first
        if cpu + 1 not in cpus:
            parts.append(str(cpu) if cpu == first else f"{first}-{cpu}")
            first = None
    return ",".join(parts)
