"""Files of cgroup v2, read without the project's code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

POINT = Path("/sys/fs/cgroup")
ON_V2 = (POINT / "cgroup.controllers").exists()
MIB = 1 << 20


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


def keyed(directory: Path, name: str) -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in text(directory, name).splitlines())}
