"""Waiting for what the kernel says about groups, without polling: poll(2) and inotify on their files, pidfds for v1
processes (which are looked at again and again on kernels without pidfds).

Owns the descriptors that it waits on and their readers in the running event loop; all end with the wait, cancelled or
not.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import select
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cgroups.closing import Closing
from cgroups.errors import CgroupNotFound, translated
from cgroups.files import Directory, flat_keyed
from cgroups.held import HeldProcess
from cgroups.inotify import IN_IGNORED, IN_Q_OVERFLOW, Inotify
from cgroups.population import Population

EVENTS = "cgroup.events"
_PAUSE_S = 0.01  # exited processes that are still listed


@dataclass(frozen=True)
class Change:
    """A watched file was changed by the kernel: read it. `path` is None after an overflow: read all of them."""

    path: str | None
    file: str = ""


class Watch(Closing):
    """Reports changes of files in the unified hierarchy: `cgroup.events`, on v2 `memory.events(.local)`, `pids.events`.

    Changes that come close together are reported once. Use as a context manager in a coroutine; one coroutine iterates.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._inotify = Inotify()
        self._files: dict[int, Change] = {}
        self._ready: deque[Change] = deque()
        self._readable = asyncio.Event()
        self._loop.add_reader(self._inotify.fd, self._read)

    def close(self) -> None:
        """Idempotent. An iteration under way ends."""
        if self._inotify.fd >= 0:
            self._loop.remove_reader(self._inotify.fd)
            self._inotify.close()
            self._ready.clear()
            self._readable.set()

    def add(self, group: Population, file: str = EVENTS) -> None:
        """Changes from now on are reported: read the file after this. Raises CgroupNotFound if there is none."""
        if group.hierarchies.unified is None:
            raise CgroupNotFound(2, "no unified hierarchy is mounted, so nothing reports changes", path=group.path)
        with Directory.open(group.hierarchies.unified, group.path) as directory:
            self._files[self._inotify.add(directory, file)] = Change(group.path, file)

    def remove(self, group: Population) -> None:
        """No further changes of this group's files. One that is not watched is success."""
        for watch in [watch for watch, change in self._files.items() if change.path == group.path]:
            change = self._files.pop(watch)
            self._inotify.remove(watch)
            if change in self._ready:
                self._ready.remove(change)

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self._inotify.fd < 0:
                return
            self._readable.clear()
            await self._readable.wait()

    def _read(self) -> None:
        for watch, mask in self._inotify.drain():
            change = Change(None) if mask & IN_Q_OVERFLOW else self._files.get(watch)
            if mask & IN_IGNORED:
                self._files.pop(watch, None)
            if change is not None and change not in self._ready:
                self._ready.append(change)
        self._readable.set()


async def wait_unpopulated(group: Population, timeout_s: float) -> bool:
    """See Cgroup.wait_unpopulated."""
    try:
        async with asyncio.timeout(timeout_s):
            if group.hierarchies.unified is not None:
                await _unified_empties(group, group.hierarchies.unified)
            await _v1_empties(group)
    except TimeoutError:
        return not group.populated()
    return True


async def _unified_empties(group: Population, point: Path) -> None:
    """Asleep in poll(2): kernfs reports each change of `cgroup.events` as POLLPRI until the file is read again.

    For one file this is cheaper than inotify, whose last close waits for the whole kernel (some 15 ms). asyncio's own
    selector cannot ask for POLLPRI, but an epoll instance that does is itself readable.
    """
    try:
        with Directory.open(point, group.path) as directory:
            file = directory.descriptor(EVENTS)
    except CgroupNotFound:
        return
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    with os.fdopen(file, "rb", buffering=0) as events, select.epoll() as epoll:
        epoll.register(file, select.EPOLLPRI | select.EPOLLERR)
        loop.add_reader(epoll.fileno(), changed.set)
        try:
            while _populated(events):
                changed.clear()
                await changed.wait()
        finally:
            loop.remove_reader(epoll.fileno())


def _populated(events: io.FileIO) -> bool:
    try:
        events.seek(0)
        return flat_keyed(events.read().decode()).get("populated") == 1
    except OSError as error:
        if error.errno == errno.ENODEV:  # the group is gone
            return False
        raise translated(error, EVENTS) from error


async def _v1_empties(group: Population) -> None:
    """A process that is still listed after its end (before Linux 5.2 a zombie is) is looked at again after a pause."""
    waited: set[int] = set()
    while left := group.outsiders():
        fresh = left - waited
        if not fresh:
            await asyncio.sleep(_PAUSE_S)
        for pid in fresh:
            await _process_ends(pid)
        waited |= fresh


async def _process_ends(pid: int) -> None:
    process = HeldProcess.open(pid)
    if process is not None:
        with process:
            await process.ended()
