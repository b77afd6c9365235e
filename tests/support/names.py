"""The node's name server and synchroniser as an operator starts them, and questions to the server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from executor.dns.hostsdir import HostsDir
from executor.dns.query import NOERROR, NXDOMAIN, Answer, ask
from executor.errors import ExecutorError
from tests.support.rig import PROGRAM, wait_for

ROOT = Path(__file__).resolve().parents[2]
SERVER = "10.53.0.1"
SERVER6 = "fd53::1"
__all__ = ["NOERROR", "NXDOMAIN", "SERVER", "SERVER6", "Answer", "Service", "ask", "dnsmasq", "ip", "resolves", "sync"]


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Service:
    """One of the program's long-running commands; `prefix` puts it on another host."""

    def __init__(self, *command: str, environment: Mapping[str, str], log: Path, prefix: Sequence[str] = ()) -> None:
        self.command = [*prefix, *PROGRAM, *command]
        self.environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self.log_path = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(f"--- {' '.join(self.command)}\n{self.log()[-5000:]}", file=sys.stderr)
        self.kill()

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log, cwd="/")

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def kill(self) -> None:
        """As a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Another of the program's commands, with the same configuration."""
        line = [*PROGRAM, *command]
        return subprocess.run(
            line, env=self.environment, capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )


def configuration(hosts: HostsDir, **values: str) -> dict[str, str]:
    values = {"HOSTS_DIR": str(hosts.path), "LISTEN": f"{SERVER},{SERVER6}", **values}
    return {f"MESOS_POD_EXECUTOR_DNS_{name}": value for name, value in values.items()}


def dnsmasq(hosts: HostsDir, log: Path, **values: str) -> Service:
    return Service("dns", "run", environment=configuration(hosts, **values), log=log)


def sync(hosts: HostsDir, log: Path, *mesos: str, **values: str) -> Service:
    environment = configuration(hosts, MESOS=",".join(mesos), **values)
    return Service("dns", "sync", environment=environment, log=log)


def resolves(name: str, *expected: str, server: str = SERVER, kind: str = "A", timeout_s: float = 10.0) -> float:
    """Waits until a name has exactly these values; how long that took, in seconds."""
    begin_s = time.monotonic()

    def look() -> Any:
        try:
            last[:] = [ask(server, name, kind, timeout_s=1.0)]
        except ExecutorError as error:
            last[:] = [error]
            return None
        return last[0] if last[0].values == tuple(sorted(expected)) else None

    last: list[Any] = []
    assert wait_for(look, timeout_s, 0.005), f"{kind} {name} at {server} is {last}, not {expected}"
    return time.monotonic() - begin_s
