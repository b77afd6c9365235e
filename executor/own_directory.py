"""A directory that this executor has made where others may write, used by descriptor only.

Who may write in the Mesos sandbox may put a symbolic link where a directory or a file was. So each name below the
sandbox is opened without following it, relative to the directory above, and the directory must be the one that was
made: the same device and inode. Files in it are regular files, or are refused: no link, no FIFO, no device.

The log writer uses it too, so it imports little.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABOVE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

DEPTH_MAX = 100
"""A walk may hold each directory above, as `os.fwalk` does, which fails 1,000 deep."""
_SHOWN_LETTERS = 80

Identity = tuple[int, int]
"""Device and inode."""


class OwnDirectory:
    """`names` lead to it from `base`. Symbolic links are followed in `base`, which is the agent's to choose.

    Until it is made, or where its `identity` is not known (None), any directory at its path counts as it.
    """

    __slots__ = ("base", "identity", "names")

    def __init__(self, base: str, *names: str, identity: Identity | None = None) -> None:
        self.base, self.names, self.identity = base, names, identity

    @classmethod
    def at(cls, path: str, depth: int = 2) -> Self:
        """The directory at `path`, whose last `depth` names are not followed. Its identity is not known."""
        names = path.rsplit("/", depth)
        return cls(names[0] or "/", *names[1:])

    @property
    def path(self) -> str:
        """For messages, and for who reads."""
        return "/".join((self.base.rstrip("/"), *self.names))

    def make(self) -> None:
        """It and what is missing above it; from now on it is this very directory. Raises OSError with its path."""
        directory = self._walk(make=True)
        self.identity = identity(directory)
        os.close(directory)

    def open(self, flags: int = DIRECTORY) -> int:
        """A descriptor, for the caller to close. Raises OSError with its path: ENOTDIR or ELOOP for a link, ESTALE for
        another directory than the one that was made.
        """
        directory = self._walk(flags)
        if self.identity in (None, identity(directory)):
            return directory
        os.close(directory)
        raise OSError(errno.ESTALE, "another directory stands in its place", self.path)

    def rmdir(self) -> None:
        """Remove it, once it is empty. Raises OSError, ENOTDIR for a link."""
        above = OwnDirectory(self.base, *self.names[:-1]).open(_ABOVE)
        try:
            os.rmdir(self.names[-1], dir_fd=above)
        except OSError as error:
            error.filename = self.path
            raise
        finally:
            os.close(above)

    def opened(self) -> Opened:
        """`with directory.opened() as descriptor`. Raises OSError as `open`."""
        return Opened(self.open())

    def stands(self) -> bool:
        """Whether its path leads to it."""
        try:
            os.close(self.open(_ABOVE))
        except OSError:
            return False
        return True

    def open_file(self, name: str, flags: int, mode: int = 0o644) -> int:
        """A regular file in it, for the caller to close. Raises OSError with its path."""
        directory = self.open(_ABOVE)
        try:
            return open_file(directory, name, flags, mode)
        except OSError as error:
            error.filename = f"{self.path}/{name}"
            raise
        finally:
            os.close(directory)

    def _walk(self, flags: int = _ABOVE, *, make: bool = False) -> int:
        path = self.base
        try:
            directory = os.open(path, _ABOVE & ~os.O_NOFOLLOW)
            for depth, name in enumerate(self.names, 1):
                path, above = f"{path.rstrip('/')}/{name}", directory
                try:
                    if make:
                        make_directory(above, name)
                    directory = os.open(name, flags if depth == len(self.names) else _ABOVE, dir_fd=above)
                finally:
                    os.close(above)
        except OSError as error:
            error.filename = path
            raise
        return directory


class Opened:
    """A descriptor for the time of a block, which closes it."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def make_directory(above: int, name: str, mode: int = 0o755) -> None:
    """A directory in the directory `above`, unless something is there. Raises OSError."""
    try:
        os.mkdir(name, mode, dir_fd=above)
    except FileExistsError:
        return


def ensure_below(above: int, *names: str) -> int:
    """The directories `names`, each in the one before it and made if it is missing; a descriptor of the last one, for
    the caller to close. Raises OSError, also for a symbolic link; ENAMETOOLONG: they are more than DEPTH_MAX.
    """
    if len(names) > DEPTH_MAX:
        raise OSError(errno.ENAMETOOLONG, f"is in more than {DEPTH_MAX} directories", "/".join(names)[:_SHOWN_LETTERS])
    directory = os.dup(above)
    for name in names:
        with Opened(directory) as parent:
            make_directory(parent, name)
            directory = open_directory(parent, name)
    return directory


def open_directory(above: int, name: str) -> int:
    """The directory `name` in the directory `above`. Raises OSError, also for a symbolic link."""
    return os.open(name, DIRECTORY, dir_fd=above)


def open_file(directory: int, name: str, flags: int, mode: int = 0o644) -> int:
    """A regular file in a directory. `flags` as of open(2); O_TRUNC is not among them. Raises OSError: ELOOP for a
    symbolic link, EPERM for what is not a regular file.
    """
    # Before it is opened, for to open a device may do much; and afterwards, for it may be another one by then.
    _refuse(name, lambda: os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    file = os.open(name, flags | _FILE, mode, dir_fd=directory)
    try:
        _refuse(name, lambda: os.fstat(file).st_mode)
    except OSError:
        os.close(file)
        raise
    return file


def _refuse(name: str, mode: Callable[[], int]) -> None:
    try:
        found = mode()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    if not stat.S_ISREG(found):
        raise OSError(errno.EPERM, "is not a regular file", name)


def identity(file: int) -> Identity:
    """The identity of an open file or directory."""
    status = os.fstat(file)
    return status.st_dev, status.st_ino
