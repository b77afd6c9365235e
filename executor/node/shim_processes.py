"""containerd's shims as processes of the node: which one serves a container, and whether it lives.

A shim is started as `containerd-shim-runc-v2 -namespace NS -id ID -address SOCKET`. ID is the first container that was
made in its group (a pod); the shim is the parent of the first process of each of its containers. Its pid and its start
time together name one process for as long as the node runs.
Source: containerd, runtime/v2/README.md; proc_pid_stat(5).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cgroups import process_status

_PROGRAM = b"containerd-shim"
_ENDED = (b"Z", b"X")


@dataclass(frozen=True)
class Shim:
    """`start_ticks` is the process's start, in clock ticks since the boot; `container` is the first one it was for;
    `address` is containerd's socket as containerd itself calls it.
    """

    pid: int
    start_ticks: int
    namespace: str
    container: str
    address: str = ""

    def lives(self) -> bool:
        """A zombie does not: it holds nothing but its number."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] not in _ENDED and int(fields[19]) == self.start_ticks

    def cpu_ticks(self) -> int:
        """CPU time that it and the children that it has waited for have used, in clock ticks."""
        fields = _stat(self.pid)
        return 0 if fields is None else sum(map(int, fields[11:15]))

    def age_s(self) -> float:
        """Since its start."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.start_ticks / os.sysconf("SC_CLK_TCK")

    def children(self) -> set[int]:
        """What it runs: the runtime (runc), and the first processes of its containers. Source: proc(5), which gives
        /proc/<pid>/task/<tid>/children; empty where the kernel does not tell.
        """
        found: list[int] = []
        with contextlib.suppress(OSError):  # it ends meanwhile
            for thread in Path(f"/proc/{self.pid}/task").glob("*/children"):
                found += _children(thread)
        return set(found)

    def kill(self) -> None:
        """SIGKILL, if it still is this process."""
        descriptor = _pidfd(self.pid)
        try:
            if not self.lives():
                return
            with contextlib.suppress(ProcessLookupError):
                if descriptor is None:
                    os.kill(self.pid, signal.SIGKILL)
                else:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            if descriptor is not None:
                os.close(descriptor)


def look(pid: int) -> Shim | None:
    """None for any other process, and for one that has ended."""
    options = _options(pid) if _is_named_so(pid) else {}
    if b"-id" not in options or (fields := _stat(pid)) is None:
        return None
    words = (options.get(each, b"").decode(errors="replace") for each in (b"-namespace", b"-id", b"-address"))
    return Shim(pid, int(fields[19]), *words)


def of_process(pid: int, namespace: str) -> Shim | None:
    """The shim whose child `pid` is, the first process of a container in containerd's `namespace`. None if that cannot
    be proven: in another pid namespace, or after its end.
    """
    status = process_status.read(pid)
    parent = 0 if status is None else process_status.parent(status)
    shim = look(parent) if parent > 1 else None
    return shim if shim is not None and shim.namespace == namespace else None


def running(namespace: str) -> list[Shim]:
    """The living shims of containerd's `namespace`. Looks at every process of the node."""
    found = [look(int(name)) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208  names, not paths
    return [shim for shim in found if shim is not None and shim.namespace == namespace and shim.lives()]


def of_containers(namespace: str, containers: Collection[str]) -> list[Shim]:
    """The living shims that were started for one of `containers`, wherever they run."""
    return [shim for shim in running(namespace) if shim.container in containers]


def _is_named_so(pid: int) -> bool:
    """Whether the process has a shim's name, which the kernel cuts at 15 bytes. The name is read first: the command
    line of another process may let the reader wait (mmap_lock).
    """
    status = process_status.read(pid)
    return status is not None and process_status.name(status).startswith(_PROGRAM[:15])


def _options(pid: int) -> Mapping[bytes, bytes]:
    """The options of a shim's command line; none for any other process."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return {}
    if not words[0].rpartition(b"/")[2].startswith(_PROGRAM):
        return {}
    return {word: value for word, value in pairwise(words) if word.startswith(b"-")}


def _children(file: Path) -> list[int]:
    try:
        return [int(pid) for pid in file.read_bytes().split()]
    except OSError:
        return []


def _stat(pid: int) -> list[bytes] | None:
    """/proc/<pid>/stat from the 3rd field (the state) on; the 2nd may contain anything. None: there is no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
