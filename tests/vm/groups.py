"""Files of cgroup v2, read without the project's code, and the names that the tests on this machine share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.rig import Rig

POINT = Path("/sys/fs/cgroup")
ON_V2 = (POINT / "cgroup.controllers").exists()
MIB = 1 << 20
PIDS_MAX = 100
"""[pods] pids_max of this node."""
HUGE_PAGES_MIB = 64
"""What the agent offers of hugepages-2Mi."""


def by_name(rig: Rig) -> dict[str, dict[str, Any]]:
    """The pods of all executors of the node."""
    return {pod["name"]: pod for pod in rig.pods()}


def group(path: str) -> Path:
    """The directory of a cgroup."""
    return POINT / path.strip("/")


def class_group(pod: Mapping[str, Any]) -> Path:
    """The group of all pods of a pod's class."""
    return next(each for each in group(pod["cgroup"]).parents if each.name in ("regular", "revocable"))


def root_group(pod: Mapping[str, Any]) -> Path:
    """The root of the executor's cgroups."""
    return class_group(pod).parents[1]


def text(directory: Path, name: str) -> str:
    return (directory / name).read_text().strip()


def number(directory: Path, name: str) -> int:
    return int(text(directory, name))


def page_cache(directory: Path) -> int:
    """Bytes of the files that a group has on disks. That of tmpfs has no other place, and counts as `file` too."""
    stat = keyed(directory, "memory.stat")
    return stat["file"] - stat["shmem"]


def keyed(directory: Path, name: str) -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in text(directory, name).splitlines())}
