"""PSI triggers: the kernel reports when tasks have waited too long for a resource, without polling.

A trigger is a threshold in microseconds of stall within a window (Documentation/accounting/psi.rst, "Monitoring for
pressure thresholds"). The window is always 2 s: without CAP_SYS_RESOURCE the kernel takes multiples of that only.
asyncio's selector cannot ask for POLLPRI, but an epoll instance that does is itself readable, once for each event.

Owns an epoll instance, one descriptor for each trigger, and one reader in the running event loop.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cgroups.closing import Closing
from cgroups.errors import CgroupNotFound, translated
from cgroups.files import Directory

if TYPE_CHECKING:
    from cgroups.group import Cgroup
    from cgroups.pressure import Resource

WINDOW_USEC = 2_000_000
NODE = Path("/proc/pressure")


class StallWatch(Closing):
    """`on_stall` is called in the event loop, at most once per window and trigger. A context manager."""

    def __init__(self, on_stall: Callable[[], None]) -> None:
        self._on_stall = on_stall
        self._loop = asyncio.get_running_loop()
        self._triggers: set[int] = set()
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def __len__(self) -> int:
        """How many triggers are set; those of groups that are gone go by themselves."""
        return len(self._triggers)

    def close(self) -> None:
        """Idempotent."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            for trigger in list(self._triggers):
                self._drop(trigger)
            self._epoll.close()

    def add(self, group: Cgroup | None, resource: Resource, stall_usec: int, *, full: bool = False) -> None:
        """Report when tasks of the group (None: of the node) waited for `stall_usec` of a window; `full`: all of them
        at once.

        Raises CgroupNotFound without PSI or a unified hierarchy, CgroupError (EOPNOTSUPP) where PSI is switched off,
        and (EINVAL) for a stall beyond the window.
        """
        file, path = _open(group, resource)
        try:
            self._set(file, f"{'full' if full else 'some'} {stall_usec} {WINDOW_USEC}", path)
        except BaseException:
            os.close(file)
            raise

    def _set(self, file: int, trigger: str, path: str) -> None:
        try:
            os.write(file, trigger.encode() + b"\0")  # the kernel cuts the last byte off
        except OSError as error:
            raise translated(error, path, data=trigger) from error
        self._epoll.register(file, select.EPOLLPRI | select.EPOLLERR)
        self._triggers.add(file)

    def _ready(self) -> None:
        """An event is gone once it was polled; a group that is gone would be reported without end."""
        for file, events in self._epoll.poll(0):
            if events & select.EPOLLERR:
                self._drop(file)
        self._on_stall()

    def _drop(self, file: int) -> None:
        self._epoll.unregister(file)
        self._triggers.discard(file)
        os.close(file)


def _open(group: Cgroup | None, resource: Resource) -> tuple[int, str]:
    if group is None:
        point, path, name = NODE, "/", str(resource)
    elif group.hierarchies.unified is None:
        raise CgroupNotFound(2, "no unified hierarchy is mounted, so there is no PSI of groups", path=group.path)
    else:
        point, path, name = group.hierarchies.unified, group.path, f"{resource}.pressure"
    with Directory.open(point, path) as directory:
        return directory.descriptor(name, writable=True), f"{directory.path}/{name}"
