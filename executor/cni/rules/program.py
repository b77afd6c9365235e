"""The programs that read and write rules of the kernel: iptables-save, iptables-restore, nft."""

from __future__ import annotations

import shutil

from executor.cni.plugins.process import Finished, execute
from executor.errors import reason

_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_OUTPUT_MAX_BYTES = 64 << 20


def installed(name: str) -> bool:
    """Whether this node has the program."""
    return shutil.which(name, path=_PATH) is not None


async def run(name: str, arguments: list[str], stdin: str, timeout_s: float) -> Finished:
    """One run of it. A program that is not there, or cannot be started, has failed with code 1."""
    path = shutil.which(name, path=_PATH)
    if path is None:
        return Finished(1, stderr=f"{name} is not installed".encode())
    command = [path, *arguments]
    try:
        return await execute(command, {"PATH": _PATH}, stdin.encode(), timeout_s, stdout_max_bytes=_OUTPUT_MAX_BYTES)
    except OSError as error:
        return Finished(1, stderr=f"cannot be executed: {reason(error)}".encode())


def said(finished: Finished) -> str:
    """What it wrote to standard error, in one piece."""
    return finished.stderr.decode(errors="replace").strip()
