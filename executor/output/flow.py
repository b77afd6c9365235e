"""What the threads of the log writer share: logs that one thread at a time may write, and the streams that lead there.

A write may hang. It then holds its log until it returns, and other threads with output for that log are refused.
"""

from __future__ import annotations

import errno
import os
import time
from _thread import allocate_lock, get_native_id

from executor.output.logfile import LogFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 1.0
"""A write that takes longer hangs; until then the container is slowed to the disk's pace."""
_LOOK_S = 0.02


class Log:
    """`path` tells logs apart; `begun` is called when a write has begun, so that the writer looks whether it hangs;
    `since_s` is when its present write began, 0 for none; `users` counts the streams that lead there.
    """

    __slots__ = ("_begun", "_error", "_lock", "_thread", "_waits", "file", "hung", "path", "since_s", "users")

    def __init__(self, path: str, file: LogFile, begun: Callable[[], None]) -> None:
        self.path = path
        self.file = file
        self._begun = begun
        self._lock = allocate_lock()
        self.since_s = 0.0
        self.hung = False
        self.users = 0
        self._thread = self._waits = self._error = 0

    def open(self, *, run: bool = False) -> None:
        """Make the file, and note that a run begins; where that fails the first output tells."""
        if not self._begin():
            return
        try:
            self.file.open()
            if run:
                self.file.begin_run()
        except OSError:
            return
        finally:
            self._finish()

    def put(self, data: bytearray, size_bytes: int) -> tuple[int, int, int]:
        """Append the first `size_bytes` of `data`: how many were written, how many went to older files for it, and
        the number of the error that kept the rest out; 0: none did.
        """
        if not self._begin():
            self.file.lose(data, size_bytes)
            return 0, 0, errno.ETIMEDOUT
        rotated_bytes = self.file.rotated_bytes
        try:
            self.file.append(data, size_bytes)
        except OSError as error:
            self._error = error.errno or errno.EIO
            self.file.lose(data, size_bytes)
        else:
            self._error = 0 if self.file.written_bytes else self._error  # else only the rest of a lost line came
        done = self.file.written_bytes, self.file.rotated_bytes - rotated_bytes, self._error
        self._finish()
        return done

    def hangs(self, now_s: float) -> bool:
        """Whether its present write has begun to hang; to be asked at intervals. The thread must be seen waiting twice:
        one that only wants a CPU is late with a disk that answers, and nothing of it is to be dropped.
        """
        if self.hung or not self.since_s or now_s - self.since_s < HANG_S:
            return False
        self._waits = 0 if _is_running(self._thread) else self._waits + 1
        self.hung = self._waits > 1
        return self.hung

    def end_line(self) -> None:
        """A stream has ended: the file says so, where its format can."""
        if self._begin():
            try:
                self.file.end_line()
            except OSError:
                return
            finally:
                self._finish()

    def close(self) -> None:
        """When no stream leads there. While a write of it hangs, the thread that writes does it later."""
        if self._lock.acquire(blocking=False):
            self.file.close()
            self._lock.release()

    def _begin(self) -> bool:
        while not self._lock.acquire(timeout=0 if self.hung else _LOOK_S):
            if self.hung:
                return False
        self._thread, self._waits = get_native_id(), 0
        self.since_s = time.monotonic()
        self._begun()  # not before: a look in between would see no write, and be the last one
        return True

    def _finish(self) -> None:
        self.since_s = 0.0
        self.hung = False
        self._lock.release()
        if not self.users:
            self.close()


def _is_running(thread: int) -> bool:
    """Or wants to, but has no CPU. A thread that ends meanwhile runs no more: its open file fails with ESRCH."""
    try:
        file = os.open(f"/proc/self/task/{thread}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(file, 512).rpartition(b") ")[2].startswith(b"R")
        finally:
            os.close(file)
    except OSError:
        return False


class Stream:
    """A FIFO that is read into a log. `turn` is whose turn it is: a thread's own object; None: no thread's."""

    __slots__ = ("closing", "fifo", "log", "slot", "turn")

    def __init__(self, fifo: int, slot: int, log: Log) -> None:
        self.fifo, self.slot, self.log = fifo, slot, log
        self.turn: object | None = None
        self.closing = False

    def read(self, buffer: bytearray) -> int:
        """How many bytes there were; 0 also at the end."""
        try:
            return os.readv(self.fifo, [buffer])
        except BlockingIOError:
            return 0
