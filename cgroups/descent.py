"""Going down and up in a tree of groups without recursion and with a bounded number of descriptors.

A container that may mount its own hierarchy can nest thousands of groups. Up to HELD levels stay open, for that is
quick; deeper ones are left through `..`, which leads to the parent also when the group was removed meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from cgroups.errors import CgroupNotFound, translated
from cgroups.files import DIRECTORY_FLAGS, Directory

HELD: Final = 16
"""Levels whose descriptors are held."""


class Descent:
    """Begins at `top`, whose descriptor stays the caller's. `names` are those of each level that are still to be
    entered, the next one last.
    """

    def __init__(self, top: Directory) -> None:
        self._open: list[Directory | None] = [top]
        self.names: list[list[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for directory in self._open[1:]:
            if directory is not None:
                os.close(directory.fd)
        del self._open[1:]

    @property
    def current(self) -> Directory:
        """The directory of the group that is visited."""
        directory = self._open[-1]
        assert directory is not None  # noqa: S101 the last one is always open
        return directory

    @property
    def at_top(self) -> bool:
        """Whether it is the one that the descent began with."""
        return len(self._open) == 1

    def list(self) -> None:
        """Notes the groups right below the current one. Raises CgroupError."""
        self.names.append(self.current.subdirectories()[::-1])

    def down(self, name: str) -> None:
        """Raises CgroupNotFound, CgroupError; then it stays where it is."""
        above = self.current
        self._open.append(above.child(name))
        if len(self._open) > HELD + 1:
            self._open[-2] = None
            os.close(above.fd)

    def up(self) -> None:
        """To the nearest group above that still exists; the names of the levels that are left are forgotten. Raises
        CgroupError.
        """
        left, way = self.current, ".."
        self._drop()
        while self._open[-1] is None:
            try:
                fd = os.open(way, DIRECTORY_FLAGS, dir_fd=left.fd)
            except FileNotFoundError:
                way += "/.."
                self._drop()
                continue
            except OSError as error:
                os.close(left.fd)
                self._open = [directory for directory in self._open if directory is not None]
                raise translated(error, f"{left.path}/{way}") from error
            self._open[-1] = Directory(fd, os.path.normpath(f"{left.path}/{way}"))
        os.close(left.fd)

    def _drop(self) -> None:
        self._open.pop()
        del self.names[len(self._open) :]


def walk(directory: Directory) -> Iterator[Directory]:
    """The directory and everything below it, parents first; each may be closed when the next is asked for.

    Groups that vanish meanwhile are skipped.
    """
    yield directory
    with Descent(directory) as descent:
        descent.list()
        while descent.names:
            if not descent.names[-1]:
                if descent.at_top:
                    return
                descent.up()
                continue
            try:
                descent.down(descent.names[-1].pop())
            except CgroupNotFound:
                continue
            yield descent.current
            descent.list()
