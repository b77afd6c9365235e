"""Connections for probes: from this process's own network, or from within the network namespace of a container.

A socket belongs to the network namespace in which it was made, wherever it is used later. So one thread of its own
enters the namespace, makes the socket and comes back, which takes some 20 microseconds; the connection is then made by
the event loop as any other. A thread that could not come back is not used again.
Source: network_namespaces(7), setns(2).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from executor.errors import reason

_CLONE_NEWNET = 0x40000000
_OWN = Path("/proc/self/ns/net")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Place:
    """Where a probe connects to. `open_namespace` gives a descriptor of the network namespace to connect from, which
    becomes the caller's; None: from this process's own network.
    """

    host: str
    port: int
    open_namespace: Callable[[], int] | None = None

    @property
    def text(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def why(error: OSError) -> str:
    """In the system's words, which asyncio replaces by its own."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else reason(error)


class Sockets:
    """Makes sockets. Owns a thread, which is started with the first socket in another namespace."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Close the descriptors of the namespaces."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    async def connected(self, place: Place) -> socket.socket | None:
        """A connected socket from within a namespace; None for a place in the own network, where the event loop makes
        its own. Raises OSError.
        """
        made = await self._made(place)
        if made is None:
            return None
        try:
            await asyncio.get_running_loop().sock_connect(made, (place.host, place.port))
        except BaseException:
            made.close()
            raise
        return made

    async def _made(self, place: Place) -> socket.socket | None:
        if place.open_namespace is None:
            return None
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        namespace = await self._opened(place.open_namespace)
        try:
            if _is_own(namespace):
                return _socket(family)
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "probe-sockets")
            making = asyncio.get_running_loop().run_in_executor(self._thread, _within, os.dup(namespace), family)
        finally:
            os.close(namespace)
        return await self._result(making)

    async def _opened(self, open_namespace: Callable[[], int]) -> int:
        """Not on the event loop: the kernel may let it wait until the container's first process has executed its
        program (exec_update_lock, fs/proc/namespaces.c).
        """
        opening = asyncio.get_running_loop().run_in_executor(None, open_namespace)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_namespace)
            raise

    async def _result(self, making: asyncio.Future[socket.socket]) -> socket.socket:
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(_close)
            raise
        except _LostThreadError as error:
            if self._thread is not None:
                self._thread.shutdown(wait=False)
                self._thread = None
            raise OSError(error.errno, "could not leave a network namespace") from error


class _LostThreadError(OSError):
    """The thread is still in a foreign namespace."""


def _close(made: asyncio.Future[socket.socket]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()


def _close_namespace(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _is_own(namespace: int) -> bool:
    return os.path.samestat(os.fstat(namespace), _OWN.stat())


def _within(namespace: int, family: int) -> socket.socket:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(namespace)
        try:
            return _socket(family)
        finally:
            try:
                _enter(home)
            except OSError as error:
                raise _LostThreadError(error.errno, reason(error)) from error
    finally:
        os.close(home)
        os.close(namespace)


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)  # noqa: FBT003 socket has no keyword for it
    return made


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
