"""The PID namespace that the containers of a pod share, where it asks for that. Owns its first process, the keeper.

A PID namespace ends with its first process. That must be none of a container: the others would end with it, and an
init container always ends. The keeper (pid_keeper.py) runs in a leaf of the pod's cgroup, so every kill of the
pod kills it too; no memory of it is the pod's. A thread of its own enters the namespace and starts it, so that no other
thread's children come to be there.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cgroups import CgroupError
from executor.concurrency import in_own_thread, to_the_end
from executor.errors import CgroupFailure, Failure, reason
from executor.pod.container.pid_keeper import NAME

if TYPE_CHECKING:
    from cgroups import Cgroup

GROUP: Final = "_pids"
"""The keeper's group, below the pod's; no container's group has this name (cgroups.names.escape)."""
START_S: Final = 10.0
END_S: Final = 5.0
_CLONE_NEWPID: Final = 0x20000000
_PROGRAM: Final = Path(__file__).with_name("pid_keeper.py")
_SUBJECT: Final = "the pod's PID namespace"
_HINT: Final = "shareProcessNamespace needs CAP_SYS_ADMIN for the executor"


class PidNamespace:
    """`pod` is the pod's cgroup."""

    def __init__(self, pod: Cgroup) -> None:
        self._group = pod.child(GROUP)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()

    @property
    def keeper_pid(self) -> int | None:
        """The parent of processes whose own has ended, until it was reaped; None while there is none."""
        return None if self._keeper is None else self._keeper.pid

    async def ensure(self) -> Path:
        """The namespace that runc joins: a new one where there is none, or no more. Raises Failure.

        A keeper that was killed leaves its group before it can be reaped. Its namespace takes no process then.
        """
        async with self._turn:
            if self._keeper is not None and not self._is_alive():
                await self.close()
            if (keeper := self._keeper) is None:
                keeper = await to_the_end(self._start())
            return Path(f"/proc/{keeper.pid}/ns/pid")

    def _is_alive(self) -> bool:
        try:
            return self._group.populated()
        except CgroupError as error:
            raise CgroupFailure(str(error), subject=self._group.path) from error

    async def close(self) -> None:
        """After the pod's cgroup was killed: reaps the keeper. Idempotent. Raises Failure for one that does not end:
        it waits until the parents of all processes of its namespace have reaped them.
        """
        if (keeper := self._keeper) is None:
            return
        keeper.kill()
        try:
            await to_the_end(asyncio.to_thread(keeper.wait, END_S))
        except subprocess.TimeoutExpired as error:
            hint = "does the shim of the pod's containers hang?"
            raise Failure(f"process {keeper.pid} does not end", subject=_SUBJECT, hint=hint) from error
        self._keeper = None

    async def _start(self) -> subprocess.Popen[bytes]:
        try:
            self._keeper = keeper = await in_own_thread(_started, "pidns")
        except (OSError, subprocess.SubprocessError) as error:
            words = reason(error) if isinstance(error, OSError) else str(error)
            raise Failure(words, subject=_SUBJECT, hint=_HINT) from error
        try:
            self._group.ensure()
            self._group.attach(keeper.pid)
        except CgroupError as error:
            await self.close()
            raise CgroupFailure(str(error), subject=self._group.path) from error
        return keeper


def _started() -> subprocess.Popen[bytes]:
    """In a thread that must not be used again. Raises OSError, SubprocessError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWPID) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        command = [sys.executable, "-ISB", str(_PROGRAM), str(writer)]
        keeper = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[writer]
        )
    finally:
        os.close(writer)
    try:
        words = _read(reader)
    finally:
        os.close(reader)
    if words or not _runs(keeper.pid):
        keeper.kill()
        keeper.wait(END_S)
        raise subprocess.SubprocessError(f"cannot be made: {words or 'its first process ended'}")
    return keeper


def _runs(pid: int) -> bool:
    """Whether it has become the program that sleeps. The pipe also ends where it has died, before its exit is seen."""
    try:
        return Path(f"/proc/{pid}/comm").read_text() == f"{NAME}\n"
    except OSError:
        return False


def _read(reader: int) -> str:
    """What a keeper says that could not start; empty once it runs."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if not poll.poll(START_S * 1000):
        return f"its first process did not start within {START_S:g} s"
    return os.read(reader, 1000).decode(errors="replace")
