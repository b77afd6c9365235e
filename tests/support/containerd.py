"""A containerd of one's own: its own root, state, socket and configuration, in a temporary directory, removed whole.

    with PrivateContainerd() as containerd:          # or: async with
        containerd.address                           # its socket

It starts in about 50 ms. On leaving, whatever happened inside, nothing remains: no containerd, shim, container, mount,
runc state, shim socket, or cgroup below `containerd.cgroup`. Processes are found by what they name (the socket's path
in a shim's command line, the root directory in a container's mounts), never by a name alone. What an earlier
process left behind because it was killed is removed at the next start: its directory's lock is free then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.support import cgroupdirs
from tests.support.patience import patient

PREFIX = "mpe-containerd-"
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
RUNC_STATE = Path("/run/containerd/runc")
SHIM_SOCKETS = Path("/run/containerd/s")
_TASKS = "io.containerd.runtime.v2.task"
_CONFIG = """\
version = 2
root = "{root}"
state = "{state}"
oom_score = 0
disabled_plugins = [{disabled}]
[grpc]
  address = "{address}"
[ttrpc]
  address = "{address}.ttrpc"
"""
_CRI = "grpc.v1.cri"
_DISABLED = (
    _CRI,
    "internal.v1.opt",
    "snapshotter.v1.aufs",
    "snapshotter.v1.btrfs",
    "snapshotter.v1.devmapper",
    "snapshotter.v1.zfs",
)


class PrivateContainerd:
    """`address` is the socket's path, `log` containerd's own log, `cgroup` a cgroup path for the containers. `cri`
    configures containerd's CRI plugin, which does not run without it.
    """

    def __init__(self, *, cri: str = "") -> None:
        self._cri = cri
        self.directory = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(4)}"
        self.address = str(self.directory / "c.sock")
        self.log = self.directory / "log"
        self.cgroup = f"/{self.directory.name}"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        for left in _abandoned():
            _Remains(left).remove()
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "containerd is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def start(self) -> None:
        """Start containerd on what is in its directories; returns when it accepts calls."""
        Path(self.address).unlink(missing_ok=True)
        with self.log.open("ab") as log:
            command = ["containerd", "--config", str(self.directory / "config.toml")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + patient(START_TIMEOUT_S)
        while not _accepts(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"containerd did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL; containers live on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as a service manager would; containers live on."""
        self._end(signal.SIGTERM)

    def shims(self) -> list[int]:
        """Pids of the shims that belong to this containerd."""
        return _Remains(self.directory).shims()

    def close(self) -> None:
        """Remove everything. Idempotent."""
        if self._process is not None:
            self.kill()
        if self.directory.exists():
            _Remains(self.directory).remove()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _prepare(self) -> None:
        self.directory.mkdir(mode=0o711)
        self._lock = (self.directory / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        text = _CONFIG.format(
            root=self.directory / "root",
            state=self.directory / "state",
            address=self.address,
            disabled=", ".join(f'"io.containerd.{name}"' for name in _DISABLED if not self._cri or name != _CRI),
        )
        text += self._cri
        (self.directory / "config.toml").write_text(text)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        assert process is not None, "containerd is not running"
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)


class _Remains:
    """What a containerd leaves on the node beside its own process, found by its directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = f"{directory}/c.sock".encode()

    def remove(self) -> None:
        states, namespaces = self._runc_states(), self._namespaces()
        self._end_processes()
        left = cgroupdirs.sweep(f"/{self._directory.name}")
        for mount in self._mounts():
            subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)
        for path in self._dead_sockets():
            path.unlink(missing_ok=True)
        for path in states:
            shutil.rmtree(path, ignore_errors=True)
        for path in namespaces:
            with contextlib.suppress(OSError):  # not empty: some other containerd has a namespace of the same name
                path.rmdir()
        shutil.rmtree(self._directory)
        if left:
            raise RuntimeError(f"cgroups could not be removed: {left}")

    def shims(self) -> list[int]:
        return [pid for pid in _pids() if self._is_shim(pid)]

    def _end_processes(self) -> None:
        deadline = time.monotonic() + patient(STOP_TIMEOUT_S)
        while left := [pid for pid in _pids() if self._is_server(pid) or self._is_shim(pid) or self._is_contained(pid)]:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of {self._directory} will not die: {left}")
            time.sleep(0.01)

    def _is_shim(self, pid: int) -> bool:
        words = _read(pid, "cmdline").split(b"\0")
        return b"containerd-shim" in words[0] and self._socket in words

    def _is_server(self, pid: int) -> bool:
        return f"{self._directory}/config.toml".encode() in _read(pid, "cmdline").split(b"\0")

    def _is_contained(self, pid: int) -> bool:
        """Its root is an overlay over our snapshots. Other mount namespaces hold copies of our mounts, not as root."""
        for line in _read(pid, "mountinfo").splitlines():
            if line.split(b" ")[4] == b"/":
                return f"={self._directory}/".encode() in line
        return False

    def _mounts(self) -> list[str]:
        mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return [mount for mount in reversed(mounts) if mount.startswith(f"{self._directory}/")]

    def _bundles(self) -> Iterator[Path]:
        return (self._directory / "state" / _TASKS).glob("*/*")

    def _dead_sockets(self) -> list[Path]:
        """Sockets in containerd's common directory that came in our time and that nobody serves.

        A shim that was killed leaves its own, under a digest of names that nobody may remember. Asked twice, since a
        foreign shim may be between bind and listen.
        """
        config = self._directory / "config.toml"
        since = config.stat().st_mtime if config.exists() else time.time()
        young = [path for path in SHIM_SOCKETS.glob("*") if _changed(path) >= since]
        refused = [path for path in young if not _accepts(str(path))]
        if refused:
            time.sleep(0.02)
        return [path for path in refused if not _accepts(str(path))]

    def _runc_states(self) -> list[Path]:
        """runc keeps them by namespace and container, without regard to whose containerd it is."""
        return [RUNC_STATE / bundle.parent.name / bundle.name for bundle in self._bundles()]

    def _namespaces(self) -> list[Path]:
        return [RUNC_STATE / path.name for path in (self._directory / "state" / _TASKS).glob("*")]


def _abandoned() -> list[Path]:
    """Directories whose owner is dead. A lock, not a pid, since the owner may live in another pid namespace."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _is_abandoned(path / "lock")]


def _is_abandoned(lock: Path) -> bool:
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _accepts(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208  names, not paths


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""
