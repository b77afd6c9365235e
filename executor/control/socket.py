"""The unix socket of one executor: named after its Mesos container, for root only, never taken from one that is
alive.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executor.errors import Failure, InvalidConfig, Refused

_PATH_MAX_BYTES: Final = 107  # sockaddr_un.sun_path without its final zero, unix(7)
_UCRED: Final = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel saw it connect (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end of a Unix socket."""
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid)


def listen(path: Path, *, backlog: int = 64) -> socket.socket:
    """A listening socket at `path`, mode 0600, in a directory of mode 0700 that is made if missing.

    It is made under another name and renamed, so that no process can connect before the mode is right, and so that a
    file left by a dead executor is replaced in one step. Raises Refused if a process listens at `path`, InvalidConfig
    if the path is too long for a socket, Failure if the directory cannot be written.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    if len(os.fsencode(new)) > _PATH_MAX_BYTES:
        raise InvalidConfig("is too long for a unix socket", subject=str(path), hint="shorten node.run_dir")
    if _is_alive(path):
        raise Refused("another executor listens here", subject=str(path), hint="end it or use another node.run_dir")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        listener.bind(os.fspath(new))
        new.chmod(0o600)
        listener.listen(backlog)
        new.replace(path)
    except OSError as error:
        listener.close()
        raise Failure(f"cannot listen: {error}", subject=str(path), hint="check node.run_dir") from error
    return listener


def inode(path: Path) -> int:
    """Identity of the file at `path`; 0 if there is none."""
    try:
        return path.lstat().st_ino
    except OSError:
        return 0


def remove(path: Path, *, inode_then: int) -> None:
    """Removes the socket file if it is still the one that was made."""
    if inode_then and inode(path) == inode_then:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        # EAGAIN is a full backlog: a process listens and is busy. Refused, missing or no socket at all: none does.
        return probe.connect_ex(os.fspath(path)) in (0, errno.EAGAIN)
