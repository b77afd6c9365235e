"""The one place that opens cgroup files: always relative to a held directory, never through a symbolic link.

Owns directory descriptors; a `Directory` is a context manager and is held for one operation only. Every failure is a
CgroupError with the path and the data written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from cgroups.errors import CgroupNotFound, translated
from cgroups.openat2 import open_directory

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 65536
_LEAF_LINKS = 2  # kernfs counts a directory's links as 2 + child directories: a leaf need not be listed


class Directory:
    """An open cgroup directory. `path` is for messages; every access goes through the descriptor."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path

    @classmethod
    def open(cls, point: Path, relative: str = "/") -> Directory:
        """The directory `relative` below the mount point. Raises CgroupNotFound, or CgroupError at a symbolic link."""
        path = f"{point}{relative}".rstrip("/")
        fd = open_directory(path)
        return cls(fd, path) if fd is not None else cls._walk_to(point, relative)

    @classmethod
    def _walk_to(cls, point: Path, relative: str) -> Directory:
        """One name after the other: slow, for kernels without openat2, and to tell which of the names is wrong."""
        path, fd = str(point), -1
        try:
            fd = os.open(point, DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
            for name in filter(None, relative.split("/")):
                path, above = f"{path}/{name}", fd
                fd = os.open(name, DIRECTORY_FLAGS, dir_fd=above)
                os.close(above)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise translated(error, path) from error
        return cls(fd, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def child(self, name: str) -> Directory:
        """The directory of the group `name` right below. Raises CgroupNotFound, CgroupError."""
        path = f"{self.path}/{name}"
        try:
            return Directory(os.open(name, DIRECTORY_FLAGS, dir_fd=self.fd), path)
        except OSError as error:
            raise translated(error, path) from error

    def has(self, name: str) -> bool:
        """Whether there is a file or group of that name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def read(self, name: str) -> str:
        """A file's text. Raises CgroupNotFound, CgroupError."""
        try:
            fd = os.open(name, os.O_RDONLY | _FILE, dir_fd=self.fd)
            try:
                return _read_all(fd).decode(errors="surrogateescape")
            finally:
                os.close(fd)
        except OSError as error:
            raise translated(error, f"{self.path}/{name}") from error

    def descriptor(self, name: str, *, writable: bool = False) -> int:
        """The file, open for reading and polling; the caller closes it."""
        with self._errors(name):
            return os.open(name, (os.O_RDWR if writable else os.O_RDONLY) | _FILE, dir_fd=self.fd)

    def read_optional(self, name: str) -> str | None:
        """None where this kernel, or this group, has no such file."""
        try:
            return self.read(name)
        except CgroupNotFound:
            return None

    def write(self, name: str, data: str) -> None:
        """One write(2), as the kernel's handlers expect it. Never creates a file."""
        with self._errors(name, data):
            fd = os.open(name, os.O_WRONLY | os.O_TRUNC | _FILE, dir_fd=self.fd)
            try:
                os.write(fd, data.encode())
            finally:
                os.close(fd)

    def subdirectories(self) -> list[str]:
        """Names of the child groups, sorted; none if this group has been removed meanwhile."""
        try:
            if os.fstat(self.fd).st_nlink == _LEAF_LINKS:
                return []
            with os.scandir(self.fd) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise translated(error, self.path) from error

    def mkdir(self, name: str) -> bool:
        """True if it was made, False if it was there."""
        with self._errors(name):
            try:
                os.mkdir(name, 0o755, dir_fd=self.fd)
            except FileExistsError:
                return False
        return True

    def rmdir(self, name: str) -> None:
        """Removes the group `name` right below. Raises CgroupBusy, CgroupNotFound, CgroupError."""
        with self._errors(name):
            os.rmdir(name, dir_fd=self.fd)

    @contextmanager
    def _errors(self, name: str, data: str = "") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise translated(error, f"{self.path}/{name}" if name else self.path, data=data) from error


def flat_keyed(text: str | None) -> dict[str, int]:
    """`key value` lines (cgroup-v2.rst, "Flat keyed") as a mapping; values that are no numbers are left out."""
    pairs = (line.split() for line in (text or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdigit()}


def number(text: str | None) -> int | None:
    """A single value; None for a missing file and for `max`."""
    text = (text or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, _CHUNK_BYTES):
        parts.append(part)
    return b"".join(parts)
