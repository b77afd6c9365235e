"""Network namespaces that live without a process, pinned by a bind mount.

A short-lived thread unshares, brings lo up and binds its namespace to the path; it ends before `ensure` returns, so
no thread of this process is ever left in a foreign namespace, and Python is not forked (a fork would copy gRPC's
threads' locks). libc is called directly: pyroute2 forks to create a namespace. Owns: the
paths that it is given.
Source: network_namespaces(7), unshare(2), mount(2), umount2(2), netdevice(7).
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
from pathlib import Path

from executor import host_namespace
from executor.concurrency import to_the_end
from executor.errors import NetworkFailure, reason

_CLONE_NEWNET = 0x40000000
_MS_BIND = 4096
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_STACKED_MOUNTS_MAX = 16

_libc = ctypes.CDLL(None, use_errno=True)


async def ensure(path: Path) -> None:
    """A network namespace at `path`, its loopback up. The path must be of one pod alone. Raises NetworkFailure."""
    if not exists(path):
        await to_the_end(_in_own_thread(path))


async def destroy(path: Path) -> None:
    """Unpins the namespace; it ends with its last process. Missing is success. Raises NetworkFailure."""
    await to_the_end(asyncio.to_thread(_unpin, path))


def exists(path: Path) -> bool:
    """Whether a namespace is pinned there, and not just a file left behind."""
    try:
        return path.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except OSError:
        return False


def pinned(directory: Path) -> tuple[Path, ...]:
    """Everything in a directory of pins, namespaces and left-over files: for recovery and leak checks."""
    return tuple(sorted(directory.iterdir())) if directory.is_dir() else ()


async def _in_own_thread(path: Path) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def work() -> None:
        failure: BaseException | None = None
        try:
            _pin(path)
        except BaseException as error:  # noqa: BLE001 - handed over, not judged
            failure = error
        loop.call_soon_threadsafe(done.set_result, failure)

    thread = threading.Thread(target=work, name="netns", daemon=True)
    thread.start()
    failure = await done
    thread.join()  # it has nothing left to do but end
    if isinstance(failure, OSError):
        raise _translated("cannot make a network namespace", path, failure) from failure
    if failure is not None:
        raise failure


def _pin(path: Path) -> None:
    """In a thread that must not be used again."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444))
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(_libc.unshare(_CLONE_NEWNET))
        _loopback_up()
        host_namespace.enter_mounts()  # the pin must be where containerd is
        _call(_libc.mount(b"/proc/thread-self/ns/net", os.fsencode(path), None, ctypes.c_ulong(_MS_BIND), None))
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        _libc.setns(home, _CLONE_NEWNET)  # a thread that has been joined may still be seen for a moment
        os.close(home)


def _unpin(path: Path) -> None:
    try:
        for _ in range(_STACKED_MOUNTS_MAX):
            _call(_libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):  # not mounted; not there
            raise _translated("cannot unmount a network namespace", path, error) from error
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _translated("cannot remove a network namespace's path", path, error) from error


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("16xH", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _call(returned: int) -> None:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _translated(what: str, path: Path, error: OSError) -> NetworkFailure:
    hint = (
        "the executor needs CAP_SYS_ADMIN, CAP_SYS_PTRACE to see the mounts of process 1, and a writable run_dir"
        if error.errno in (errno.EPERM, errno.EACCES, errno.EROFS)
        else ""
    )
    return NetworkFailure(f"{what}: {reason(error)}", subject=str(path), hint=hint)
