"""What the files of all controllers share: how "no limit" is said, and how values become writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cgroups.files import Directory
from cgroups.mounts import Mode

UNLIMITED: Final = -1
"""As a limit: take the limit away. (None, in every dataclass here, leaves the setting as it is.)"""

Home = tuple[Directory, Mode]
"""The directory that has a controller's files, and the dialect they are written in: V1 or V2."""


def limit_text(limit: int, *, unlimited: str) -> str:
    """The number, or the file's word for UNLIMITED. Raises ValueError for another negative number."""
    if limit == UNLIMITED:
        return unlimited
    if limit < 0:
        raise ValueError(f"{limit} is no limit: give a number from 0, or UNLIMITED ({UNLIMITED})")
    return str(limit)


def write_present(directory: Directory, values: Mapping[str, str]) -> list[str]:
    """Writes, in order, what there are files for; returns the names of the others.

    Raises CgroupError, with the value, where the kernel refuses one; those before it stay written.
    """
    missing = [name for name in values if not directory.has(name)]
    for name, text in values.items():
        if name not in missing:
            directory.write(name, text)
    return missing
