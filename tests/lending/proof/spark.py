"""Spark's driver with its commands, and when the processes of its executors began."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.lending.proof.usage import CPUACCT, boot_s
from tests.support.spark import submit

JOB: Final = Path(submit.__file__).with_name("bursts.py")
MARK: Final = b"CoarseGrainedExecutorBackend"
LOOK_S: Final = 0.02
ANSWER_S: Final = 150.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Driver:
    """While in its `with` block Spark is subscribed, and idle but for its bursts."""

    def __init__(self, plan: Mapping[str, Any], log: Path) -> None:
        self._command = [submit.PYTHON, str(JOB), json.dumps(plan)]
        self.log = log
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, env=submit.environment(), stdin=pipe, stdout=pipe, stderr=log, text=True
            )
        threading.Thread(target=self._read, name="driver", daemon=True).start()
        self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        if error is not None:
            print(f"--- Spark's driver\n{self.log.read_text()[-20000:]}", file=sys.stderr)
            self._process.kill()
        self._process.wait(30)

    def burst(self) -> dict[str, Any]:
        """Runs one; what tests/support/spark/bursts.py says of it."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write("burst\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            return self._answers.get(timeout=ANSWER_S)
        except queue.Empty:
            raise AssertionError("Spark's driver does not answer") from None

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self._answers.put(json.loads(line))


class Starts:
    """Looks for processes of Spark's executors in the agents' cgroups while in its `with` block. Those that began
    before it, and may not have ended yet, do not count.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = [CPUACCT / root.strip("/") for root in roots]
        self.began_s: list[float | None] = [None] * len(roots)
        """For each agent the fork of the task's command, a shell script of Spark that becomes the executor in the end.
        CLOCK_BOOTTIME, rounded down to the kernel's tick.
        """
        self.java_s: list[float | None] = [None] * len(roots)
        """For each agent the beginning of the executor itself, the Java program: its first thread of its own."""
        self._since_s = boot_s()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="starts")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            for number, root in enumerate(self._roots):
                pids = [pid for pid in _pids(root) if _is_of_executor(pid) and self._is_new(pid)]
                self.began_s[number] = _least(self.began_s[number], [_began_s(Path("/proc", pid)) for pid in pids])
                self.java_s[number] = _least(self.java_s[number], [each for pid in pids for each in _threads_s(pid)])

    def _is_new(self, pid: str) -> bool:
        began_s = _began_s(Path("/proc", pid))
        return began_s is not None and began_s >= self._since_s - 1 / TICKS


def _pids(root: Path) -> list[str]:
    """The pids of containers that are no pod executor's."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for container in root.iterdir():
            if container.is_dir() and not any(container.glob("**/pods")):
                for procs in container.glob("**/cgroup.procs"):
                    with contextlib.suppress(OSError):
                        found += procs.read_text().split()
    return found


def _least(known: float | None, found: Sequence[float | None]) -> float | None:
    return min((each for each in (known, *found) if each is not None), default=None)


def _is_of_executor(pid: str) -> bool:
    """Spark's launcher, which only prints the executor's command line, has its name among its arguments too."""
    try:
        line = Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False
    return MARK in line and b"launcher.Main" not in line


def _threads_s(pid: str) -> list[float]:
    """When the threads of a Java program began, without the one that it was before it was Java."""
    try:
        if Path("/proc", pid, "exe").readlink().name != "java":
            return []
        threads = [each for each in Path("/proc", pid, "task").iterdir() if each.name != pid]
    except OSError:
        return []
    return [began for each in threads if (began := _began_s(each)) is not None]


def _began_s(process: Path) -> float | None:
    """A process, or a thread."""
    try:
        stat = (process / "stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19]) / TICKS
