"""containerd's Tasks service: the processes of containers. An empty `exec_id` is the container's first process.

Standard output goes to plain files that exist already, or to FIFOs. Never a URL: `file://` puts both streams into one
file, and with an empty stderr it brings the shim down.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from executor.containerd import convert
from executor.containerd.api import task_pb2
from executor.containerd.api import tasks_pb2 as pb
from executor.containerd.channel import QUICK_S, SLOW_S, Channel
from executor.containerd.types import ExitStatus, Mount, Task, TaskStatus
from executor.errors import ContainerdFailure, ContainerdUnavailable, NotFound

_SERVICE = "tasks.v1.Tasks"
_STATUSES = {
    task_pb2.CREATED: TaskStatus.CREATED,
    task_pb2.RUNNING: TaskStatus.RUNNING,
    task_pb2.STOPPED: TaskStatus.STOPPED,
    task_pb2.PAUSED: TaskStatus.PAUSED,
    task_pb2.PAUSING: TaskStatus.PAUSING,
}

# The shim uses the path as it stands, but first parses it as a URL and fails on what is not an escape there.
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Tasks:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def create(
        self,
        container_id: str,
        mounts: Sequence[Mount],
        *,
        stdout: Path | None = None,
        stderr: Path | None = None,
        terminal: bool = False,
    ) -> int:
        """Make the container with its first process not yet started; its pid. AlreadyExists, NotFound.

        `stdout` and `stderr` are existing files (appended to) or FIFOs; None is /dev/null. With `terminal` stdout is a
        FIFO, and gets what the process writes to its terminal; its input stays empty.
        """
        request = pb.CreateTaskRequest(
            container_id=container_id,
            rootfs=convert.mount_messages(mounts),
            **_streams(stdout=stdout, stderr=stderr, terminal=terminal),
            terminal=terminal,
        )
        method = f"{_SERVICE}/Create"
        reply = await self._channel.call(method, request, pb.CreateTaskResponse, subject=container_id, timeout_s=SLOW_S)
        return int(reply.pid)

    async def start(self, container_id: str, *, exec_id: str = "") -> int:
        """Start a created process; its pid. NotFound."""
        request = pb.StartRequest(container_id=container_id, exec_id=exec_id)
        method, subject = f"{_SERVICE}/Start", _subject(container_id, exec_id)
        reply = await self._channel.call(method, request, pb.StartResponse, subject=subject, timeout_s=SLOW_S)
        return int(reply.pid)

    async def kill(self, container_id: str, number: int, *, all: bool = False, exec_id: str = "") -> bool:
        """Send signal `number` to the process, or with `all` to every process of the container. False if it is gone."""
        request = pb.KillRequest(container_id=container_id, exec_id=exec_id, signal=number, all=all)
        try:
            await self._done("Kill", request, _subject(container_id, exec_id), SLOW_S)
        except NotFound:
            return False
        return True

    async def wait(self, container_id: str, *, exec_id: str = "") -> ExitStatus:
        """Wait for the exit, without a deadline. NotFound; ContainerdUnavailable when containerd restarts meanwhile."""
        request = pb.WaitRequest(container_id=container_id, exec_id=exec_id)
        method, subject = f"{_SERVICE}/Wait", _subject(container_id, exec_id)
        reply = await self._channel.call(method, request, pb.WaitResponse, subject=subject, timeout_s=None)
        return ExitStatus(reply.exit_status, convert.when(reply.exited_at))

    async def delete(self, container_id: str, *, exec_id: str = "") -> ExitStatus | None:
        """Remove a stopped process and its shim. None if there was none; ContainerdFailure while it runs."""
        subject = _subject(container_id, exec_id)
        request: Message
        if exec_id:
            method, request = "DeleteProcess", pb.DeleteProcessRequest(container_id=container_id, exec_id=exec_id)
        else:
            method, request = "Delete", pb.DeleteTaskRequest(container_id=container_id)
        try:
            reply = await self._channel.call(
                f"{_SERVICE}/{method}", request, pb.DeleteResponse, subject=subject, timeout_s=SLOW_S
            )
        except NotFound:
            return None
        return ExitStatus(reply.exit_status, convert.when(reply.exited_at))

    async def remove(self, container_id: str) -> None:
        """Delete a task whose process may still live, which SIGKILL to all of its processes then ends. One that is gone
        is success, which proves nothing about what the node has of it.

        Raises ContainerdFailure; after silence (ContainerdUnavailable) without a kill, which would wait as long.
        """
        try:
            await self.delete(container_id)
        except ContainerdUnavailable:
            raise
        except ContainerdFailure:
            await self.kill(container_id, signal.SIGKILL, all=True)
            with contextlib.suppress(NotFound):
                await self.wait(container_id)
            await self.delete(container_id)

    async def get(self, container_id: str, *, exec_id: str = "") -> Task:
        """NotFound."""
        request = pb.GetRequest(container_id=container_id, exec_id=exec_id)
        subject = _subject(container_id, exec_id)
        reply = await self._channel.call(f"{_SERVICE}/Get", request, pb.GetResponse, subject=subject)
        return _task(reply.process, container_id)

    async def list(self) -> tuple[Task, ...]:
        """The first process of every container that has one. containerd asks each shim."""
        method = f"{_SERVICE}/List"
        reply = await self._channel.call(
            method, pb.ListTasksRequest(), pb.ListTasksResponse, subject="tasks", timeout_s=SLOW_S
        )
        # In this list `container_id` is empty and `id` is the container's.
        return tuple(_task(process, process.container_id or process.id) for process in reply.tasks)

    async def exec(
        self,
        container_id: str,
        exec_id: str,
        process: Mapping[str, object],
        *,
        stdin: Path | None = None,
        stdout: Path | None = None,
        stderr: Path | None = None,
        terminal: bool = False,
    ) -> None:
        """Prepare one more process in a running container; `start` runs it. `process` is the OCI spec's process.

        `stdin` is a FIFO. With `terminal` stdin and stdout are FIFOs and there is no stderr.
        """
        request = pb.ExecProcessRequest(
            container_id=container_id,
            exec_id=exec_id,
            **_streams(stdout=stdout, stderr=stderr, stdin=stdin, terminal=terminal),
            terminal=terminal,
            spec=convert.document(convert.PROCESS_TYPE, {**process, "terminal": terminal}),
        )
        await self._done("Exec", request, _subject(container_id, exec_id), SLOW_S)

    async def resize(self, container_id: str, *, exec_id: str = "", width: int, height: int) -> None:
        """The size of the terminal, in characters."""
        request = pb.ResizePtyRequest(container_id=container_id, exec_id=exec_id, width=width, height=height)
        await self._done("ResizePty", request, _subject(container_id, exec_id))

    async def close_stdin(self, container_id: str, *, exec_id: str = "") -> None:
        """Let go of the shim's end of stdin, so that the process sees the end of it when the writers have closed."""
        request = pb.CloseIORequest(container_id=container_id, exec_id=exec_id, stdin=True)
        await self._done("CloseIO", request, _subject(container_id, exec_id))

    async def update(self, container_id: str, resources: Mapping[str, object]) -> None:
        """Change the limits of a running container. `resources` is the OCI spec's linux.resources. NotFound."""
        request = pb.UpdateTaskRequest(
            container_id=container_id, resources=convert.document(convert.RESOURCES_TYPE, resources)
        )
        await self._done("Update", request, container_id, SLOW_S)

    async def pids(self, container_id: str) -> tuple[int, ...]:
        """Every process of the container, execs too, as pids of the shim's pid namespace. NotFound."""
        request = pb.ListPidsRequest(container_id=container_id)
        method = f"{_SERVICE}/ListPids"
        reply = await self._channel.call(method, request, pb.ListPidsResponse, subject=container_id)
        return tuple(process.pid for process in reply.processes)

    async def _done(self, method: str, request: Message, subject: str, timeout_s: float = QUICK_S) -> None:
        await self._channel.call(f"{_SERVICE}/{method}", request, Empty, subject=subject, timeout_s=timeout_s)


def _subject(container_id: str, exec_id: str) -> str:
    return f"{container_id}/{exec_id}" if exec_id else container_id


class _Streams(TypedDict):
    stdin: str
    stdout: str
    stderr: str


def _streams(
    *, stdout: Path | None, stderr: Path | None, stdin: Path | None = None, terminal: bool = False
) -> _Streams:
    """The shim takes either no stream at all or both outputs; with a terminal there is no stderr."""
    given = [path for path in (stdin, stdout, stderr) if path is not None]
    for path in given:
        _check_stream(path)
    nothing = os.devnull if given else ""
    return {
        "stdin": str(stdin or ""),
        "stdout": str(stdout or nothing),
        "stderr": "" if terminal else str(stderr or nothing),
    }


def _check_stream(path: Path) -> None:
    if not path.is_absolute():
        raise ContainerdFailure("standard streams need an absolute path", subject=str(path))
    if _BAD_ESCAPE.search(str(path)):
        message = "containerd's shim cannot open a path with a % that two hexadecimal digits do not follow"
        raise ContainerdFailure(message, subject=str(path), hint="reach it by a symbolic link")


def _task(process: task_pb2.Process, container_id: str) -> Task:
    return Task(
        container_id=container_id,
        exec_id=process.id if process.id != container_id else "",
        pid=process.pid,
        status=_STATUSES.get(process.status, TaskStatus.UNKNOWN),
        exit_status=process.exit_status,
        exited_at=convert.when(process.exited_at),
    )
