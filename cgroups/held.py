"""One process, held so that neither a look nor a signal ever meets another one that got its pid.

The descriptor is a pidfd (Linux 5.3), or else the process's directory in /proc: all that is read below that directory
belongs to the process that it was opened for, and is not there once that was reaped, however often its pid is used
again. pidfd_send_signal(2) takes both (Linux 5.1). Without it the directory is asked once more just before kill(2).
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
from dataclasses import dataclass

from cgroups.closing import Closing

MISSING = frozenset({errno.ENOSYS, errno.EPERM})
"""What a system call answers that this kernel, or a seccomp filter, does not let us have."""
POLL_S = 0.02
_ENDED = (b"Z", b"X")
_STATE, _THREADS = 0, 17  # fields 3 and 20 of proc_pid_stat(5), counted from behind the name


@dataclass(slots=True)
class HeldProcess(Closing):
    """Closed by its owner. `pid` is for messages."""

    pid: int
    fd: int
    is_pidfd: bool

    @classmethod
    def open(cls, pid: int) -> HeldProcess | None:
        """None: there is no such process. Raises OSError if no descriptor is left."""
        try:
            return cls(pid, os.pidfd_open(pid), is_pidfd=True)
        except ProcessLookupError:
            return None
        except OSError as error:
            if error.errno not in MISSING:
                raise
        try:
            return cls(pid, os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), is_pidfd=False)
        except (FileNotFoundError, ProcessLookupError):
            return None

    def close(self) -> None:
        """Once."""
        os.close(self.fd)

    def has_ended(self) -> bool:
        """Whether all of its threads have; also of one that is not reaped yet."""
        if self.is_pidfd:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            return bool(poll.poll(0))
        fields = stat_fields(self._stat())
        return not fields or (fields[_STATE] in _ENDED and int(fields[_THREADS]) <= 1)

    def send(self, number: int) -> bool:
        """Whether it was there. Raises PermissionError."""
        try:
            signal.pidfd_send_signal(self.fd, number)
        except ProcessLookupError:
            return False
        except OSError as error:
            if error.errno not in MISSING:
                raise
            return self._send_by_pid(number)
        return True

    async def ended(self) -> None:
        """Waits: asleep with a pidfd, else with a look every POLL_S. Any number of callers may wait, on a descriptor of
        their own: the event loop has one reader for each.
        """
        if not self.is_pidfd:
            while not self.has_ended():  # noqa: ASYNC110 # nothing reports it
                await asyncio.sleep(POLL_S)
            return
        loop, end, fd = asyncio.get_running_loop(), asyncio.Event(), os.dup(self.fd)
        try:
            loop.add_reader(fd, end.set)
            await end.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)

    def _send_by_pid(self, number: int) -> bool:
        """EPERM may also be the answer to the signal itself: then kill(2) answers the same."""
        if self.has_ended():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _stat(self) -> bytes:
        """Empty once it is gone."""
        try:
            file = os.open("stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.fd)
            try:
                return os.read(file, 4096)
            finally:
                os.close(file)
        except (FileNotFoundError, ProcessLookupError):
            return b""


def stat_fields(stat: bytes) -> list[bytes]:
    """The fields of /proc/<pid>/stat behind the name, which may contain anything. Pure."""
    return stat.rpartition(b")")[2].split()
