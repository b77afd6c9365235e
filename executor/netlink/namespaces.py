"""Sockets of rtnetlink in network namespaces that are pinned at a path. Blocking.

A socket belongs to the namespace in which it was made. A thread of its own enters the namespaces, for
setns(2) holds for one thread, and ends afterwards: no other thread of this process is ever in a foreign namespace.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from executor.netlink.requests import ANSWER_S

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_NETLINK_ROUTE: Final = 0
_libc = ctypes.CDLL(None, use_errno=True)


def visit(paths: Sequence[Path], work: Callable[[socket.socket], T]) -> list[T | OSError]:
    """What `work` returns for a socket in each namespace, or the OSError that came of it."""

    def each(path: Path) -> T:
        with _opened(path) as sock:
            return work(sock)

    return _in_own_thread(paths, each)


def own(work: Callable[[socket.socket], T]) -> T:
    """What `work` returns for a socket in this process's own namespace. Raises OSError."""
    with _socket() as sock:
        return work(sock)


def subscribe(paths: Sequence[Path], groups: int) -> list[socket.socket | OSError]:
    """A socket in each namespace that does not block and gets the messages of multicast `groups` (RTMGRP_*). The caller
    closes it: until then the namespace lives.
    """
    return _in_own_thread(paths, lambda path: _listening(_opened(path), groups))


def subscribe_own(groups: int) -> socket.socket:
    """As `subscribe`, in this process's own namespace. Raises OSError."""
    return _listening(_socket(), groups)


def _in_own_thread(paths: Sequence[Path], work: Callable[[Path], T]) -> list[T | OSError]:
    with ThreadPoolExecutor(1, thread_name_prefix="netlink") as thread:
        return thread.submit(_visit, paths, work).result()


def _visit(paths: Sequence[Path], work: Callable[[Path], T]) -> list[T | OSError]:
    """In a thread that is not used again."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    found: list[T | OSError] = []
    try:
        for path in paths:
            try:
                found.append(work(path))
            except OSError as error:
                found.append(error)
    finally:
        _libc.setns(home, _CLONE_NEWNET)  # a thread that has been joined may still be seen for a moment
        os.close(home)
    return found


def _opened(path: Path) -> socket.socket:
    """A socket in the namespace, in which this thread is afterwards."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)
    return _socket()


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    sock.settimeout(ANSWER_S)
    return sock


def _listening(sock: socket.socket, groups: int) -> socket.socket:
    try:
        sock.setblocking(False)  # noqa: FBT003 - the library's own
        sock.bind((0, groups))
    except OSError:
        sock.close()
        raise
    return sock
