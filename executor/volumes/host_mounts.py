"""Mounts that the executor makes on the node, where containerd sees them, and their release.

Under the agent's filesystem/linux isolator this process has a mount namespace of its own. So work on mounts runs in a
thread that enters the namespace of process 1 first, and that ends after it. All mounts of a pod are below one
directory, which is how they are found again, also by others than their maker (mount_tree.py).
Source: mount(2), umount2(2), setns(2), mount_namespaces(7), tmpfs(5).
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from executor import host_namespace
from executor.concurrency import in_own_thread
from executor.errors import Failure, reason
from executor.volumes import mountinfo

_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC = 2, 4, 1 << 12, 1 << 14
_MS_MOVE, _MS_PRIVATE, _MS_SLAVE, _MS_SHARED = 1 << 13, 1 << 18, 1 << 19, 1 << 20
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_MOUNT_SETATTR: Final = 442  # on every architecture
SOURCE: Final = "mesos-pod-executor"
"""What the node's list of mounts says where it has a device for others."""
INODE_BYTES: Final = 4096
"""A tmpfs may have one file for each so many bytes of its size."""
INODES_MIN: Final = 16384
HUGE_PAGES: Final = Path("/sys/kernel/mm/hugepages")
STAGE_BYTES: Final = 64 * 1024
"""The size of mount points, which are empty."""
HINT: Final = "the executor needs CAP_SYS_ADMIN, CAP_SYS_PTRACE to enter the mounts of process 1, and a run_dir"

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


async def run(work: Callable[[], T]) -> T:
    """What `work` returns or raises. It is not cut short: where the caller is cancelled it goes on by itself."""

    def on_the_node() -> T:
        host_namespace.enter_mounts()
        return work()

    return await in_own_thread(on_the_node, "mounts")


def tmpfs(target: Path, size_bytes: int | None, *, mode: int, swaps: bool = True) -> None:
    """A tmpfs on `target`, which is made. `size_bytes` is positive; None is half of the node's memory. `swaps`: false
    keeps it in memory, where the kernel can (Linux 6.4). Raises OSError.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_mounted(target):
        return
    options = f"mode={mode:o}"
    if size_bytes is not None:
        options += f",size={size_bytes},nr_inodes={max(INODES_MIN, size_bytes // INODE_BYTES)}"
    try:
        _tmpfs(target, options if swaps else f"{options},noswap")
    except OSError as error:
        if swaps or error.errno != errno.EINVAL:
            raise
        _tmpfs(target, options)


def hugetlbfs(target: Path, page_bytes: int, size_bytes: int | None, *, mode: int) -> None:
    """Huge pages as files on `target`, which is made; None is as many as the node has. Raises OSError: ENODEV where it
    has no pages of this size.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_mounted(target):
        return
    if not (HUGE_PAGES / f"hugepages-{page_bytes >> 10}kB").exists():
        raise OSError(errno.ENODEV, f"this node has no huge pages of {page_bytes >> 20} MiB")
    size = "" if size_bytes is None else f",size={size_bytes}"
    _mount(SOURCE, target, "hugetlbfs", _MS_NOSUID | _MS_NODEV, f"mode={mode:o},pagesize={page_bytes}{size}")


def _tmpfs(target: Path, options: str) -> None:
    _mount(SOURCE, target, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def _mount(source: str | None, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, str(target), kind, options)]
    _call(_libc.mount(*words[:3], ctypes.c_ulong(flags), words[3]), target)


def stage(target: Path) -> None:
    """A place where `bind` prepares mounts, which no other mount namespace sees. Idempotent. Raises OSError."""
    if not is_mounted(target):
        tmpfs(target, STAGE_BYTES, mode=0o700)
        make_private(target)


def make_private(target: Path) -> None:
    """What is mounted or unmounted in `target`, and in all that is mounted below it, happens nowhere else. Raises
    OSError.
    """
    _mount(None, target, None, _MS_PRIVATE | _MS_REC)


def bind(found: int, target: Path, prepared: Path) -> None:
    """What the descriptor `found` is, on `target`, which is made: a directory for a directory, else a file. What was
    mounted there before is unmounted. `prepared` is a path in a `stage`. Raises OSError.

    Later mounts below the source appear below `target` too. What happens below `target` never reaches the source, so
    that to unmount it unmounts nothing of the node; but it reaches the copies of `target` in other mount namespaces,
    which would hold the source otherwise. A mount can become all of this only where no copy is made of it yet.
    """
    for each in (target, prepared):
        unmount(each)
        each.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_target(each, directory=stat.S_ISDIR(os.fstat(found).st_mode))
    _mount(f"/proc/thread-self/fd/{found}", prepared, None, _MS_BIND | _MS_REC)
    _mount(None, prepared, None, _MS_SLAVE | _MS_REC)
    _mount(None, prepared, None, _MS_SHARED | _MS_REC)
    _mount(str(prepared), target, None, _MS_MOVE)


def bind_path(source: str, target: Path) -> None:
    """A file of the kernel on the file `target`. Raises OSError."""
    _mount(source, target, None, _MS_BIND)


def empty_directory(target: Path) -> None:
    """An empty directory that every user may read, in the place of what `bind` would mount. Raises OSError."""
    unmount(target)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_target(target, directory=True)
    target.chmod(0o755)


def _make_target(target: Path, *, directory: bool) -> None:
    if target.is_dir() and not directory:
        target.rmdir()
    elif target.exists() and directory and not target.is_dir():
        target.unlink()
    if directory:
        target.mkdir(mode=0o700, exist_ok=True)
    else:
        target.touch(mode=0o600)


def unmount(target: Path) -> None:
    """Every mount on `target`; none is success. Raises OSError."""
    while True:
        if _libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) < 0:
            number = ctypes.get_errno()
            if number in (errno.EINVAL, errno.ENOENT):  # not mounted; not there
                return
            raise OSError(number, os.strerror(number), str(target))


def is_mounted(target: Path) -> bool:
    """Whether `target` is a mount point. Raises OSError."""
    real = os.path.realpath(target)
    return any(mount.point == real for mount in mountinfo.below(target))


@functools.cache
def has_mount_setattr() -> bool:
    """Whether the kernel can make a mount and all below it read only (Linux 5.12; mount_setattr(2))."""
    return _libc.syscall(_MOUNT_SETATTR, -1, None, 0, None, 0) < 0 and ctypes.get_errno() != errno.ENOSYS


def failure(error: OSError, subject: str) -> Failure:
    """One of a volume's, for the status of its task."""
    named = f"{subject} ({error.filename})" if error.filename else subject
    return Failure(reason(error), subject=named, hint=hint(error))


def hint(error: OSError) -> str:
    """What to do about a failed mount; empty: its reason says enough."""
    return HINT if error.errno in (errno.EPERM, errno.EROFS) else ""


def _call(returned: int, path: Path | None = None) -> None:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), None if path is None else str(path))
