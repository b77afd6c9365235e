"""One Mesos process: its port, log, work directory, life and death. Owned by the test that made it.

A process ends with its parent whatever happens, because it holds the other end of a pipe (the lifeline). What an agent
has started in its turn (executors outlive an agent by design) is found by the work directory in its environment.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.mesos import options
from tests.support.patience import patient


class NotReadyError(AssertionError):
    """A process did not get there in time; the message ends with its log's last lines."""


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], timeout_s: float, what: Callable[[], str]) -> None:
    """Ask every 20 ms; raises NotReadyError with `what()` after `timeout_s`."""
    deadline = time.monotonic() + patient(timeout_s)
    while not condition():
        if time.monotonic() > deadline:
            raise NotReadyError(what())
        time.sleep(0.02)


class MesosProcess:
    """`mesos-node ROLE` in `directory`. `prefix` comes before the command, such as nsenter into a namespace."""

    def __init__(
        self, role: str, build: Path, directory: Path, *, address: str, port: int | None, prefix: Sequence[str] = ()
    ) -> None:
        self.role, self.build, self.directory = role, build, directory
        self.address, self.port, self.prefix = address, port or free_port(address), tuple(prefix)
        self.work_dir = directory / "work"
        self.log_path = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._log_start = 0

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise NotReadyError(f"the {self.role} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def spawn(self, variables: Mapping[str, str]) -> None:
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        inner, self._lifeline = os.pipe()
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LIBPROCESS_IP": self.address,
            "LIBPROCESS_PORT": str(self.port),
            "MESOS_HOSTNAME": self.address,
            "MPE_MESOS_LIFELINE": str(inner),
            **options.FIXED,
            **variables,
        }
        command = [*self.prefix, str(self.build / "bin" / "mesos-node"), self.role, str(self.work_dir)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(inner,), cwd="/"
            )
        os.close(inner)

    def log(self) -> str:
        """What this process has written since its last start."""
        with contextlib.suppress(FileNotFoundError), self.log_path.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")
        return ""

    def wait_log(self, pattern: str, timeout_s: float) -> re.Match[str]:
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(re.finditer(pattern, self.log()))
            if not found and not self.running:
                raise NotReadyError(f"the {self.role} ended: {self._tail()}")
            return bool(found)

        wait_until(look, timeout_s, lambda: f"the {self.role} did not log {pattern!r} in {timeout_s} s: {self._tail()}")
        return found[-1]

    def _tail(self) -> str:
        return "\n".join(self.log().splitlines()[-15:])

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """End the process alone, as a crash would: its executors and files stay. No-op if it is not running."""
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.wait()
            self._process = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def processes_of(directory: Path) -> Iterator[int]:
    """Every process whose environment or working directory names a path below `directory`."""
    inside = f"{directory}/"
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            names = os.fsencode(inside) in (entry / "environ").read_bytes()
            if names or f"{(entry / 'cwd').readlink()}/".startswith(inside):
                yield int(entry.name)


def kill_processes_of(directory: Path, *, timeout_s: float = 10.0) -> None:
    """SIGKILL them until none is left: one that forks may need several rounds."""

    def gone() -> bool:
        victims = list(processes_of(directory))
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not victims

    wait_until(gone, timeout_s, lambda: f"processes of {directory} do not die: {list(processes_of(directory))}")
