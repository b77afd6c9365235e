"""Which names on the host belong to which node, and removal of what a dead owner left.

A node is a directory below BASE with an `owner.json`, written before anything else exists. An owner is a process id
with its start time, in one process namespace: a record from elsewhere proves nothing and is left alone.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support import cgroupdirs


def base() -> Path:
    """The directory of all nodes; refuses one that somebody else has made."""
    path = Path(tempfile.gettempdir()) / "mpe-nodes"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.getuid() or path.is_symlink():
        raise PermissionError(f"{path} belongs to somebody else")
    return path


@dataclass(frozen=True)
class Owner:
    pid: int
    start_ticks: int
    pid_namespace: str

    @classmethod
    def current(cls) -> Owner:
        return cls(os.getpid(), start_ticks(os.getpid()) or 0, _pid_namespace())

    def is_dead(self) -> bool:
        """Known to have ended: False also when that cannot be known from here."""
        return self.pid_namespace == _pid_namespace() and start_ticks(self.pid) != self.start_ticks


@dataclass(frozen=True)
class Node:
    directory: Path
    owner: Owner

    @classmethod
    def create(cls) -> Node:
        owner = Owner.current()
        directory = base() / f"{owner.pid}-{secrets.token_hex(3)}"
        directory.mkdir(mode=0o700)
        (directory / "owner.json").write_text(json.dumps(asdict(owner)))
        node = cls(directory, owner)
        node.tmp.mkdir(mode=0o755)
        return node

    @property
    def tmp(self) -> Path:
        return self.directory / "tmp"

    @property
    def cgroup(self) -> str:
        """One top-level name in every hierarchy; inside another node below that node's."""
        outer = os.environ.get("MPE_TEST_CGROUP", "")
        return f"{outer}/mpe-{self.directory.name}"

    def remove(self) -> list[str]:
        """Kill and remove everything of the node; returns what would not go. The record goes last."""
        left = [str(path) for path in cgroupdirs.sweep(self.cgroup)]
        shutil.rmtree(self.tmp, onerror=lambda _function, path, _info: left.append(str(path)))
        if not left:
            shutil.rmtree(self.directory, ignore_errors=True)
        return [path for path in left if Path(path).exists()]


def stale() -> list[Node]:
    """Nodes whose owner has ended without removing them."""
    found = []
    for record in base().glob("*/owner.json"):
        try:
            owner = Owner(**json.loads(record.read_text()))
        except (OSError, ValueError, TypeError):  # being written or removed at this moment
            continue
        if owner.is_dead():
            found.append(Node(record.parent, owner))
    return found


def start_ticks(pid: int) -> int | None:
    """The start time of a living process in clock ticks since boot (proc(5), field 22), None without one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())
