"""The message that a container leaves at its end, for the status of its task.

The container writes it into a file of the pod's directory that is mounted at its terminationMessagePath. What is read
of it, or of the log in its place, is bounded, is opened without following a symbolic link, and may take READ_S on a
disk that hangs.
Source: Kubernetes, "Determine the Reason for Pod Failure"; the bounds are kubelet's (kubecontainer.Max...Length).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

from executor.errors import Failure, reason
from executor.oci.mounts import termination_name
from executor.output import cri, times
from executor.own_directory import Opened, open_file
from executor.pod.node import log_name

if TYPE_CHECKING:
    from executor.own_directory import OwnDirectory
    from executor.spec.model import ContainerSpec

MESSAGE_MAX_BYTES: Final = 4096
LOG_MAX_BYTES: Final = 2048
LOG_MAX_LINES: Final = 80
READ_S: Final = 2.0
_ENTRIES_PER_BYTE: Final = 8
"""An entry of a log of the CRI's format is longer than what the container wrote."""


def renew(files: OwnDirectory, container: ContainerSpec) -> None:
    """An empty file for a new run in the pod's directory, which every user may write. Raises Failure."""
    if container.termination is None:
        return
    name = termination_name(container.name)
    try:
        with files.opened() as directory:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            with Opened(open_file(directory, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)) as file:
                os.fchmod(file, 0o666)
    except OSError as error:
        raise Failure(f"cannot be made: {reason(error)}", subject=f"{files.path}/{name}") from error


async def message(files: OwnDirectory, container: ContainerSpec, exit_code: int) -> str:
    """Empty for none, and for what cannot be read. To be called once the log is complete."""
    if container.termination is None:
        return ""
    try:
        async with asyncio.timeout(READ_S):
            return await asyncio.to_thread(_message, files, container, exit_code)
    except TimeoutError:
        return ""


def _message(files: OwnDirectory, container: ContainerSpec, exit_code: int) -> str:
    own = _tail(files, termination_name(container.name), MESSAGE_MAX_BYTES)
    if own or exit_code == 0 or container.termination is None or not container.termination.fallback_to_logs:
        return own
    streams = (_end_of_log(files, log_name(container.name, stream)) for stream in ("stderr", "stdout"))
    text = next(filter(None, streams), "")
    return "\n".join(text.splitlines()[-LOG_MAX_LINES:])


def _end_of_log(files: OwnDirectory, name: str) -> str:
    """Its last bytes as the container wrote them, as text."""
    if not times.is_cri(times.read(files, name)):
        return _tail(files, name, LOG_MAX_BYTES)
    data = _read(files, name, LOG_MAX_BYTES * _ENTRIES_PER_BYTE)
    if len(data) == LOG_MAX_BYTES * _ENTRIES_PER_BYTE:
        data = data.partition(b"\n")[2]  # it begins within an entry
    return cri.decode(data)[-LOG_MAX_BYTES:].decode(errors="replace").strip()


def _tail(files: OwnDirectory, name: str, limit_bytes: int) -> str:
    """The last bytes of a regular file as text, without white space around it."""
    return _read(files, name, limit_bytes).decode(errors="replace").strip()


def _read(files: OwnDirectory, name: str, limit_bytes: int) -> bytes:
    try:
        with Opened(files.open_file(name, os.O_RDONLY)) as file:
            return os.pread(file, limit_bytes, max(0, os.fstat(file).st_size - limit_bytes))
    except OSError:
        return b""
