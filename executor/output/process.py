"""The log writer's process as the executor holds it: started, spoken to, ended. Owns the process and its socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from executor.output.wire import Close, Open, pack, unpack_ended

_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = "import sys; sys.path.insert(0, {root!r}); from executor.output.writer import main; main({ends})"
_NICE: Final = 5
"""Within the executor's cgroup: the executor's event loop goes first where containers write at full speed."""
_END_S: Final = 2.0
_REAP_S, _REAP_TRIES = 0.05, 100
_ENDED_MAX_BYTES: Final = 64


class WriterProcess:
    """`on_ended` gets the slot of each stream that has ended and is written, `on_death` is called once if the process
    ends by itself. Raises OSError where the process cannot be started.
    """

    def __init__(self, memory: int, on_ended: Callable[[int], None], on_death: Callable[[], None]) -> None:
        self.began_s = time.monotonic()
        self._on_ended, self._on_death = on_ended, on_death
        self._loop = asyncio.get_running_loop()
        self._unsaid: deque[tuple[bytes, list[int]]] = deque()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ends = f"{theirs.fileno()}, {memory}"
            program = _PROGRAM.format(root=str(_ROOT), ends=ends)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", program],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,  # stderr is the executor's, for the traceback of a defect
                    pass_fds=(theirs.fileno(), memory),
                    start_new_session=True,
                    env={"MALLOC_ARENA_MAX": "1"},
                )
            except BaseException:
                self._socket.close()
                raise
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICE)
        self._socket.settimeout(0)
        self._loop.add_reader(self._socket, self._hear)

    @property
    def pid(self) -> int:
        """The pid of the log writer."""
        return self._process.pid

    @property
    def is_stopped(self) -> bool:
        """By a signal, or by a debugger."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_bytes()
        except OSError:
            return False
        return status.rpartition(b") ")[2][:1] in (b"T", b"t")

    def say(self, message: Open | Close, *files: int) -> None:
        """In order, and at once where the socket has room; the files must stay open until the stream has ended."""
        self._unsaid.append((pack(message), list(files)))
        if len(self._unsaid) == 1:
            self._speak()

    def _speak(self) -> None:
        while self._unsaid:
            try:
                socket.send_fds(self._socket, [self._unsaid[0][0]], self._unsaid[0][1])
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._speak)
                return
            except OSError:  # it has ended, which `_hear` notices
                break
            self._unsaid.popleft()
        self._loop.remove_writer(self._socket)

    def kill(self) -> None:
        """At once, unless it hangs in a write to a disk that does not answer."""
        self._hang_up()
        self._process.kill()
        self._reap()

    async def end(self) -> bool:
        """Let it write what it has; whether it ended by itself within a limit, else it is killed."""
        deadline_s = self._loop.time() + _END_S
        while self._process.poll() is None and self._loop.time() < deadline_s:
            if not self._unsaid:
                self._hang_up()
            await asyncio.sleep(0.01)
        if self._process.poll() is not None:
            self._hang_up()
            return True
        self.kill()
        return False

    def _hear(self) -> None:
        try:
            while data := self._socket.recv(_ENDED_MAX_BYTES):
                self._on_ended(unpack_ended(data))
        except BlockingIOError:
            return
        except OSError:
            pass  # as if it had closed its end
        self._hang_up()
        self._process.kill()  # it may still be on its way out
        self._reap()
        self._on_death()

    def _hang_up(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _reap(self, tries: int = _REAP_TRIES) -> None:
        if self._process.poll() is None and tries:
            self._loop.call_later(_REAP_S, self._reap, tries - 1)
