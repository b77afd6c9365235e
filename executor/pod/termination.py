"""The message that a container leaves at its end, for the status of its task.

The container writes it into a file that is mounted at its terminationMessagePath: `termination/<container>` in the
pod's directory. What is read of it, or of the log in its place, is bounded, is opened without following a symbolic
link, and may take READ_S on a disk that hangs.
Source: Kubernetes, "Determine the Reason for Pod Failure"; the bounds are kubelet's (kubecontainer.Max...Length).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.oci.mounts import TERMINATION, termination_file
from executor.pod.node import log_path

if TYPE_CHECKING:
    from executor.spec.model import ContainerSpec

MESSAGE_MAX_BYTES: Final = 4096
LOG_MAX_BYTES: Final = 2048
LOG_MAX_LINES: Final = 80
READ_S: Final = 2.0


def renew(pod_dir: Path, container: str) -> None:
    """An empty file for a new run, which every user may write. Raises OSError."""
    path = termination_file(pod_dir, container)
    path.parent.mkdir(mode=0o711, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        os.fchmod(descriptor, 0o666)
    finally:
        os.close(descriptor)


def remove(pod_dir: Path) -> None:
    """All files of a pod. Raises OSError."""
    directory = pod_dir / TERMINATION
    with contextlib.suppress(FileNotFoundError):
        for path in directory.iterdir():
            path.unlink(missing_ok=True)
        directory.rmdir()


async def message(pod_dir: Path, container: ContainerSpec, exit_code: int) -> str:
    """Empty for none, and for what cannot be read. To be called once the log is complete."""
    if container.termination is None:
        return ""
    try:
        async with asyncio.timeout(READ_S):
            return await asyncio.to_thread(_message, pod_dir, container, exit_code)
    except TimeoutError:
        return ""


def _message(pod_dir: Path, container: ContainerSpec, exit_code: int) -> str:
    own = _tail(termination_file(pod_dir, container.name), MESSAGE_MAX_BYTES)
    if own or exit_code == 0 or container.termination is None or not container.termination.fallback_to_logs:
        return own
    streams = (_tail(log_path(pod_dir, container.name, stream), LOG_MAX_BYTES) for stream in ("stderr", "stdout"))
    text = next(filter(None, streams), "")
    return "\n".join(text.splitlines()[-LOG_MAX_LINES:])


def _tail(path: Path, limit_bytes: int) -> str:
    """The last bytes of a regular file as text, without white space around it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return ""
            data = os.pread(descriptor, limit_bytes, max(0, status.st_size - limit_bytes))
        finally:
            os.close(descriptor)
    except OSError:
        return ""
    return data.decode(errors="replace").strip()
