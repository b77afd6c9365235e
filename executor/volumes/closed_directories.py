"""Directories of the node that no volume shows, by any name, link or mount.

A bind mount gives a directory a second path that has no link in it, and a file system of the kernel can be mounted
anywhere: the root of a chroot(2) mostly has a /proc. So a place is compared by its path, and by the file system and the
path in it, which the kernel's table of mounts gives.
Source: proc(5), mountinfo; mount(8), --bind.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executor import beneath
from executor.config.role_policy import is_within
from executor.own_directory import Opened
from executor.volumes import mountinfo
from executor.volumes.mountinfo import Mount

KERNEL: Final[Mapping[str, frozenset[str]]] = {
    "/proc": frozenset({"proc", "binfmt_misc"}),
    "/sys": frozenset({
        "sysfs", "cgroup", "cgroup2", "bpf", "configfs", "debugfs", "efivarfs", "fusectl", "pstore", "securityfs",
        "selinuxfs", "smackfs", "tracefs",
    }),
    "/dev": frozenset({"devtmpfs", "devpts", "mqueue"}),
}  # fmt: skip
"""The kinds of file systems that stand for a directory of the kernel. tmpfs and hugetlbfs are of others, too."""


@dataclass(frozen=True)
class Place:
    """A file or directory: its path, and where it is in its file system."""

    path: str
    device: str
    inside: str

    def is_in(self, other: Place) -> bool:
        """Whether it is `other` or below it, by either."""
        by_device = self.device == other.device and is_within(self.inside, other.inside)
        return by_device or is_within(self.path, other.path)


class ClosedDirectories:
    """Reads the table of mounts once. Raises OSError."""

    def __init__(self, directories: Sequence[str]) -> None:
        self._directories = directories
        self._mounts = {mount.id: mount for mount in mountinfo.every()} if directories else {}
        self._places = [(each, self._place_of(each)) for each in directories]

    def shown_by(self, found: int, *, around: bool) -> str | None:
        """The closed directory in which the open `found` is, or with `around` also one that is in `found`, by a mount
        below it as well; None: there is none. Raises OSError.
        """
        if not self._directories:
            return None
        place, own = self._place(found)
        shown = [(place, own), *(self._below(place.path) if around else ())]
        return next((closed for each in shown if (closed := self._closed(*each, around=around)) is not None), None)

    def _closed(self, place: Place, mount: Mount, *, around: bool) -> str | None:
        for name, closed in self._places:
            if mount.kind in KERNEL.get(name, ()) or place.is_in(closed) or (around and closed.is_in(place)):
                return name
        return None

    def _below(self, directory: str) -> Iterator[tuple[Place, Mount]]:
        for mount in self._mounts.values():
            if mount.point != directory and is_within(mount.point, directory):
                yield Place(mount.point, mount.device, mount.root), mount

    def _place(self, found: int) -> tuple[Place, Mount]:
        """Raises OSError where its mount is not as it was in the table."""
        path = str(Path(f"/proc/thread-self/fd/{found}").readlink())
        mount = self._mounts.get(beneath.mount_id(found))
        if mount is None or not is_within(path, mount.point):
            raise OSError(errno.ESTALE, "was mounted or unmounted meanwhile", path)
        below = posixpath.relpath(path, mount.point)
        return Place(path, mount.device, posixpath.normpath(f"{mount.root.rstrip('/')}/{below}")), mount

    def _place_of(self, directory: str) -> Place:
        """One that is not there has its path only."""
        try:
            with Opened(os.open(directory, os.O_PATH | os.O_CLOEXEC)) as found:
                return self._place(found)[0]
        except (FileNotFoundError, NotADirectoryError):
            path = os.path.realpath(directory)
            return Place(path, "", path)
