"""Notices that another executor of this node died, so that the living one releases at once what the dead one held.

inotify on the directory of owner files reports executors that start, a pidfd of each process reports its end.
Only the locks of those for which no pidfd can be had (Linux before 5.3, a seccomp filter, a lack of descriptors) are
polled, and the directory where there is no inotify instance: the root of any container can use these up. A wake-up is
no proof; it only makes the reaper look, and that goes by the owners' locks alone. An executor in a pid namespace of its
own may write a pid that means another process here, or none: what a wake-up could not settle is looked at again after a
growing pause.

Owns an inotify instance, one descriptor for each living neighbour, and their readers in the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cgroups.files import Directory
from cgroups.inotify import Inotify
from cgroups.processes import open_pidfd
from executor.log import get_logger
from executor.names import MesosContainerId
from executor.node import claims as owners

log = get_logger(__name__)

AGAIN_S = (1.0, 5.0, 30.0, 300.0)
"""Pauses until what could not be settled is looked at again; the last one repeats."""
POLL_S = 1.0
"""Between two looks at the locks of those that cannot be followed otherwise."""
FINISH_S = 3.0
"""Less than the shutdown grace that Mesos gives by default (5 s)."""


async def keep_clean(run_dir: Path, own: MesosContainerId, reap: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    """Until cancelled: `reap` now, and after each end of another executor. It says whether nothing is left to do.

    What is under way at a cancellation is given FINISH_S, for an executor may live for a moment only.
    """
    with OtherExecutors(run_dir, own) as others:
        failures = 0
        while True:
            died = others.take_dead()
            settled = await _finished(reap()) and not died & owners.living(run_dir)
            failures = 0 if settled else failures + 1
            pause_s = None if settled else AGAIN_S[min(failures, len(AGAIN_S)) - 1]
            await others.wait(pause_s)


async def _finished(reaping: Coroutine[Any, Any, bool]) -> bool:
    task = asyncio.create_task(reaping)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=FINISH_S)
        task.cancel()
        raise


class OtherExecutors:
    """Every other executor with an owner file in `run_dir`. A context manager, in the event loop."""

    def __init__(self, run_dir: Path, own: MesosContainerId) -> None:
        self._run_dir = run_dir
        self._own = own
        self._loop = asyncio.get_running_loop()
        self._pidfds: dict[MesosContainerId, tuple[int, int]] = {}
        """The pid that its file named, and the pidfd."""
        self._polled: set[MesosContainerId] = set()
        self._poll: asyncio.TimerHandle | None = None
        self._dead: set[MesosContainerId] = set()
        self._changed = asyncio.Event()
        self._inotify: Inotify | None = None

    def __enter__(self) -> Self:
        with Directory.open(self._run_dir) as directory:
            self._inotify = _notifies(directory)
        if self._inotify is not None:
            self._loop.add_reader(self._inotify.fd, self._written)
        self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify.fd)
            self._inotify.close()
        if self._poll is not None:
            self._poll.cancel()
        for container in list(self._pidfds):
            self._drop(container)

    def take_dead(self) -> set[MesosContainerId]:
        """Those that seem to have died since the last call."""
        dead, self._dead = self._dead, set()
        return dead

    async def wait(self, timeout_s: float | None) -> None:
        """Until another one seems to have died, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()

    def _written(self) -> None:
        for _ in self._inotify.drain() if self._inotify is not None else ():
            pass
        self._look()

    def _look(self) -> None:
        """Follow those that came, and forget those whose file went: they ended cleanly or were reaped."""
        listed = {owner.container: owner.pid for owner in owners.listed(self._run_dir) if owner.container != self._own}
        for container in (self._pidfds.keys() | self._polled) - listed.keys():
            self._drop(container)
        for container, pid in listed.items():
            if pid and container not in self._polled and self._pidfds.get(container, (0, -1))[0] != pid:
                self._drop(container)
                self._follow(container, pid)
        if self._polled or self._inotify is None:
            self._poll = self._poll or self._loop.call_later(POLL_S, self._look_again)

    def _follow(self, container: MesosContainerId, pid: int) -> None:
        try:
            descriptor = open_pidfd(pid)
        except (OSError, OverflowError) as error:
            log.debug("polls the lock of another executor", mesos_container=container, pid=pid, error=str(error))
            self._polled.add(container)
            return
        if descriptor is None:
            self._died(container)
            return
        self._pidfds[container] = pid, descriptor
        self._loop.add_reader(descriptor, self._died, container)

    def _look_again(self) -> None:
        self._poll = None
        for container in self._polled - owners.living(self._run_dir) if self._polled else ():
            self._died(container)
        self._look()

    def _died(self, container: MesosContainerId) -> None:
        self._drop(container)
        self._dead.add(container)
        self._changed.set()

    def _drop(self, container: MesosContainerId) -> None:
        self._polled.discard(container)
        _, descriptor = self._pidfds.pop(container, (0, -1))
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)


def _notifies(directory: Directory) -> Inotify | None:
    """Reports files that are written in it: an owner writes once it holds its lock. None: the kernel gives none."""
    inotify = None
    try:
        inotify = Inotify()
        inotify.add(directory, ".")
    except OSError as error:
        log.debug("polls for other executors", error=str(error))
        if inotify is not None:
            inotify.close()
        return None
    return inotify
