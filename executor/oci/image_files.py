"""Files of an image, read from the snapshot that a container is about to run on.

A thread of its own enters a mount namespace of its own, mounts the snapshot's layers there, reads, and ends, and the
namespace and the mount end with it, however it ends: no other process sees the mount, and a killed process leaves
none. The image is not trusted: its symbolic links lead nowhere outside of it, only regular files are opened, and only
so much is read of them.
Source: mount_namespaces(7), openat2(2), open(2) (O_PATH), Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from executor import beneath, host_namespace
from executor.concurrency import in_own_thread
from executor.errors import ImageFailure, TimedOut, reason

if TYPE_CHECKING:
    from executor.containerd.types import Mount

MOST_BYTES: Final = 1 << 20
"""The size of one file; one that is larger is refused."""
PATIENCE_S: Final = 30.0
"""It takes a millisecond; a disk that does not answer holds up the thread, not its pod's end."""

_CLONE_FS, _CLONE_NEWNS = 0x00000200, 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_SLAVE = 1, 2, 4, 8, 1 << 14, 1 << 19
_UNUSABLE = 0  # no errno: a file that is there, and is not what it should be
_IMAGES_FAULT = (_UNUSABLE, errno.ELOOP, errno.ENAMETOOLONG)
_HINT_IMAGE = "repair the image, or run it as uid:gid, for which no file of it is read"
_HINT_NODE = "an executor needs CAP_SYS_ADMIN and overlayfs, see mesos-pod-executor doctor"
_ABSENT = (FileNotFoundError, NotADirectoryError)

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class UnusableFile(ImageFailure):
    """A file of the image is there, and cannot be used: the image's fault, on every node."""


async def read(mounts: Sequence[Mount], paths: Sequence[str], *, image: str) -> list[bytes | None]:
    """The contents of the files `paths` of an image, below what `mounts` (of a fresh snapshot of it) give; None for
    one that is not there. Raises ImageFailure (UnusableFile), TimedOut.
    """
    return await _look(lambda: _at_root(layers(mounts), lambda root: [_content(root, path) for path in paths]), image)


async def real_directories(mounts: Sequence[Mount], paths: Sequence[str], *, image: str) -> list[str | None]:
    """The paths of the image's directories `paths` without symbolic links, from its root; None for what is not a
    directory of it. Raises ImageFailure, TimedOut.
    """
    return await _look(lambda: _at_root(layers(mounts), lambda root: [_real(root, path) for path in paths]), image)


async def _look(work: Callable[[], T], image: str) -> T:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await in_own_thread(work, "rootfs")
    except TimeoutError as error:
        hint = "look at the disk that holds containerd's snapshots"
        raise TimedOut("its files cannot be read", subject=f"image {image}", hint=hint) from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        problem, subject = f"its files cannot be read: {reason(error)}{where}", f"image {image}"
        if error.errno in _IMAGES_FAULT:
            raise UnusableFile(problem, subject=subject, hint=_HINT_IMAGE) from error
        raise ImageFailure(problem, subject=subject, hint=_HINT_NODE) from error


def layers(mounts: Sequence[Mount]) -> tuple[list[str], list[str]]:
    """The directories of a snapshot that nothing was written to yet, the uppermost first, and the other options of
    their overlay. Pure.
    """
    (mount,) = mounts
    if mount.type != "overlay":
        return [mount.source], []
    given = [option.partition("=") for option in mount.options]
    (lower,) = [value for key, _, value in given if key == "lowerdir"]
    own = ("lowerdir", "upperdir", "workdir", "rw", "ro")
    return lower.split(":"), [f"{key}{equals}{value}" for key, equals, value in given if key not in own]


def _at_root(where: tuple[list[str], list[str]], look: Callable[[int], T]) -> T:
    """In a thread that must not be used again."""
    directories, options = where
    _enter_own_mounts()
    root = os.open(_mounted(directories, options), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return look(root)
    finally:
        os.close(root)


def _real(root: int, path: str) -> str | None:
    try:
        found = beneath.open_below(root, path)
    except _ABSENT:
        return None
    try:
        if not stat.S_ISDIR(os.fstat(found).st_mode):
            return None
        above, own = (str(Path(f"/proc/self/fd/{each}").readlink()) for each in (root, found))
    finally:
        os.close(found)
    return "/" + os.path.relpath(own, above) if own != above else "/"


def _enter_own_mounts() -> None:
    """A copy of those that containerd has. What is mounted here stays here; what is unmounted there is unmounted here
    too, should a disk hold this thread up.
    """
    _call(_libc.unshare(_CLONE_FS))
    with contextlib.suppress(PermissionError):  # without CAP_SYS_PTRACE: then this process has them itself
        host_namespace.enter_mounts()
    _call(_libc.unshare(_CLONE_NEWNS))
    _call(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None))


def _mounted(directories: list[str], options: list[str]) -> str:
    """A single layer needs no overlay, and the kernel makes none. Names are relative, for the options must fit into
    one page of memory, and an image may have more than a hundred layers.
    """
    if len(directories) == 1:
        return directories[0]
    parent = os.path.commonpath(directories)
    os.chdir(parent)  # of this thread alone
    lower = ":".join(str(Path(directory).relative_to(parent)) for directory in directories)
    data = ",".join([*options, f"lowerdir={lower}"])
    flags = ctypes.c_ulong(_MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _call(_libc.mount(b"overlay", os.fsencode(parent), b"overlay", flags, os.fsencode(data)))
    return parent


def _content(root: int, path: str) -> bytes | None:
    """Looked at before it is opened: to open a device may already do something."""
    try:
        found = beneath.open_below(root, path)
    except _ABSENT:
        return None
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(_UNUSABLE, "no regular file", path)
        with open(f"/proc/self/fd/{found}", "rb", buffering=0) as file:  # noqa: PTH123 a descriptor, no path
            data = bytearray()
            while len(data) <= MOST_BYTES and (more := file.read(MOST_BYTES + 1 - len(data))):
                data += more
    finally:
        os.close(found)
    if len(data) > MOST_BYTES:
        raise OSError(_UNUSABLE, f"larger than {MOST_BYTES >> 10} KiB", path)
    return bytes(data)


def _call(returned: int, path: str | None = None) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return returned
