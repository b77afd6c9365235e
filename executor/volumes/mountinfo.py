"""The mounts that this thread sees, from the kernel's table. Source: proc(5), mountinfo."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FILE: Final = "/proc/thread-self/mountinfo"
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
_END: Final = b"-"
"""Follows the optional fields."""


@dataclass(frozen=True)
class Mount:
    """`id` is its number in this table. `device` is the file system's, as major:minor, `root` the directory of the file
    system that is mounted, `kind` such as tmpfs. `peers` is the number of its peer group; empty: what is mounted below
    it reaches no other mount.
    """

    id: int
    device: str
    root: str
    point: str
    peers: str
    kind: str


def every() -> list[Mount]:
    """In the order in which they were made. Raises OSError."""
    return list(_all())


def below(directory: Path) -> list[Mount]:
    """Those at and below `directory`, in the order in which they were made. Links in its path are followed. Raises
    OSError.
    """
    real = os.path.realpath(directory)
    return [mount for mount in _all() if _is_below(mount, real)]


def shared_with_others(directory: Path) -> list[Mount]:
    """Those at and below `directory` that are peers of a mount elsewhere: to unmount something in such a mount unmounts
    it elsewhere too (mount_namespaces(7)). Raises OSError.
    """
    real, mounts = os.path.realpath(directory), every()
    others = {mount.peers for mount in mounts if not _is_below(mount, real)}
    return [mount for mount in mounts if _is_below(mount, real) and mount.peers and mount.peers in others]


def _is_below(mount: Mount, real: str) -> bool:
    return mount.point == real or mount.point.startswith(f"{real}/")


def _all() -> Iterator[Mount]:
    with open(_FILE, "rb") as file:  # noqa: PTH123 a file of the kernel's
        for line in file:
            fields = line.split()
            end = fields.index(_END, 6)
            root, point = (os.fsdecode(_OCTAL.sub(_byte, field)) for field in fields[3:5])
            yield Mount(
                int(fields[0]), fields[2].decode(), root, point, _peers(fields[6:end]), fields[end + 1].decode()
            )


def _peers(optional: Iterable[bytes]) -> str:
    found = [field for field in optional if field.startswith(b"shared:")]
    return found[0].decode() if found else ""


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])
