"""The sockets of containerd's shims: found, and removed once no process serves them.

A shim that was killed leaves its socket, unless containerd's `shim delete` comes to remove it.
Source: containerd 1.6, runtime/v2/shim/util_unix.go (SocketAddress); unix(7), proc(5).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from collections.abc import Collection
from pathlib import Path

SOCKETS = "/run/containerd/s/"
"""Where every containerd of the node has its shims' sockets."""
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def remove_dead(address: str, namespace: str, groups: Collection[str]) -> int:
    """Those that a shim of one of these groups (pods) had, or that were made for it before its process, and that
    no process serves; how many there were. containerd names them by a digest, in which its socket's `address` is as
    its own configuration has it: another path may lead there.
    """
    count = 0
    for name in (f"{each}/{namespace}/{group}" for each in {address, os.path.realpath(address)} for group in groups):
        path = Path(SOCKETS, hashlib.sha256(name.encode()).hexdigest())
        if _is_dead(path):
            path.unlink(missing_ok=True)
            count += 1
    return count


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def of_process(pid: int) -> tuple[Path, ...]:
    """Those that it listens on, in containerd's directory."""
    inodes = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if found := _SOCKET.fullmatch(os.readlink(link)):  # noqa: PTH115  a text, not a path
                    inodes.add(found[1])
    try:
        lines = Path(f"/proc/{pid}/net/unix").read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return ()
    sockets = (line.split() for line in lines)
    return tuple(
        Path(each[7]) for each in sockets if len(each) > 7 and each[6] in inodes and each[7].startswith(SOCKETS)
    )
