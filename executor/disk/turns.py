"""Slow work on files, in threads of its own: turn by turn, so that one large job holds up no other one.

asyncio's default threads are for short calls of launches, kills and revocations. Work whose length a pod decides
(counting or removing its files) would fill them all, and every launch would wait. These threads have a low CPU and I/O
priority, and rest after each turn; they are daemons, so that a disk that hangs does not keep the process from its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

NICE: Final = 10
REST: Final = 0.5
"""Part of a turn's time that is rested after it."""
_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS: Final = 1
_BEST_EFFORT_LOWEST: Final = (2 << 13) | 7  # class and level, ioprio_set(2)


class Job(Protocol):
    def turn(self) -> bool:
        """A bounded part of the work, some milliseconds; whether it was the last."""

    def close(self) -> None:
        """Give back what is held, also in the middle of the work. Idempotent."""


class Call:
    """A job of one call that may hang where a disk does; what it returned is in `result`."""

    def __init__(self, function: Callable[[], int]) -> None:
        self._function = function
        self.result = 0

    def turn(self) -> bool:
        """The whole call. Raises what it raises."""
        self.result = self._function()
        return True

    def close(self) -> None:
        """Nothing is held."""


@dataclass(eq=False)
class _Queued:
    job: Job
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]
    urgent: bool

    def settle(self, error: BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
            self.loop.call_soon_threadsafe(self._set, error)

    def _set(self, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


class Turns:
    """One thread, started with `start` or with the first job. `name` is the thread's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: deque[_Queued] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """The thread, ahead of the first job. Raises RuntimeError where none can be started."""
        with self._changed:
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    async def run(self, job: Job, *, urgent: bool = False) -> None:
        """All of the job's turns; an urgent job takes every turn until it is through. Raises what a turn raises, and
        RuntimeError where no thread can be started: then the job has not begun.

        When the caller is cancelled, the job is closed after its turn.
        """
        loop = asyncio.get_running_loop()
        queued = _Queued(job, loop, loop.create_future(), urgent)
        with self._changed:
            self._start()
            self._put(queued)
            self._changed.notify()
        await queued.future

    def _put(self, queued: _Queued) -> None:
        if queued.urgent:
            self._waiting.appendleft(queued)
        else:
            self._waiting.append(queued)

    def _work(self) -> None:
        _lower_priority()
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                queued = self._waiting.popleft()
            begin = time.monotonic()
            if self._through(queued):
                continue
            with self._changed:
                self._put(queued)
            if not queued.urgent:
                time.sleep(REST * (time.monotonic() - begin))

    def _through(self, queued: _Queued) -> bool:
        """One turn; whether the job has ended."""
        try:
            if not queued.future.cancelled() and not queued.job.turn():
                return False
        except BaseException as error:  # noqa: BLE001 it is raised where the job is waited for
            queued.job.close()
            queued.settle(error)
            return True
        queued.job.close()
        queued.settle(None)
        return True


def _lower_priority() -> None:
    """Lower this thread's priority for CPU and disk, each as far as this machine can; a lower one stays."""
    own = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, own, max(NICE, os.getpriority(os.PRIO_PROCESS, own)))
    if (number := _IOPRIO_SET.get(platform.machine())) is not None:
        ctypes.CDLL(None).syscall(number, _IOPRIO_WHO_PROCESS, 0, _BEST_EFFORT_LOWEST)
